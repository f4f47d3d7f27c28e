mod cli;
mod docs;
mod file;
mod rules;
