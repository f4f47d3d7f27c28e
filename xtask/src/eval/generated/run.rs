//! Runs one case: build, learn, break, listen.

use super::{
    Setting,
    controls::{self, Tick},
    draw::process,
    export,
    figures::{Bite, Figures, Second},
    hear::Heard,
    inflict::Active,
    merged::{Answer, answer},
    plan::{Event, Fault, Mechanism, Pattern, Plan, Role},
    rivals::Scraper,
    score::{Case, Spoken},
    traffic::{self, asks_main_program, flow_name},
    truth::{Truth, truth},
    world::World,
};
use crate::sh;
use anyhow::{Result, bail};
use netwhy_tests::stop;
use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};

/// Agents learn what is normal for so long: a window, and ten of them that are clean.
const LEARN: Duration = Duration::from_secs(22);
/// Seconds of clients' figures before the onset that count.
const BEFORE: usize = 10;
/// A case is listened to for so long; the last answer that counts is that of second 30.
const LISTEN: f64 = 31.0;
/// How often agents are asked, s.
const ASK: f64 = 1.0;
/// How often the level of a fault is set.
const TICK: Duration = Duration::from_millis(100);

/// Runs a case.
pub(super) fn run(plan: Plan, setting: Setting<'_>) -> Result<Case> {
    let mut world = World::open(&plan, setting)?;
    traffic::start(&mut world, &plan)?;
    if let Event::Control(control) = &plan.event {
        controls::before(&mut world, control)?;
    }
    world.start_agents(&plan)?;
    let agents = world.agents()?.addresses();
    let mut scraper = setting.rivals.map(|tools| tools.watch(&plan, setting.bin, agents)).transpose()?;
    let mut script = Script::prepare(&world, &plan)?;
    let export = setting.export.map(|dir| export::place(dir, &plan)).transpose()?;
    let recorders = export.as_deref().map(|dir| world.agents()?.record(dir)).transpose()?;
    let usual = learn(&world, export.is_some())?;
    let waited = waited_for_cpu();
    let before: Vec<usize> = (0..plan.traffic.flows.len()).map(|at| reports(&world, at)).collect();
    let heard = listen(&mut world, &plan, &mut script, scraper.as_mut())?;
    drop(recorders);
    let cpu_wait = waited_for_cpu().zip(waited).map(|(after, before)| (after - before) / LISTEN);
    let figures: Vec<Figures> = before.iter().enumerate().map(|(at, n)| figures(&world, at, *n)).collect();
    let mut case = Case { cpu_wait, ..judge(plan, &world, &heard, &figures)? };
    if let (Some(tools), Some(scraper)) = (setting.rivals, &scraper) {
        let given = tools.give(scraper, &case, &heard, &world.names());
        case.rivals = given.inspect_err(|error| sh::say(&format!("no metrics for rivals: {error:#}"))).ok();
    }
    if let Some(dir) = export {
        export::write_case(&dir, &case, &[usual, heard].concat())?;
    }
    Ok(case)
}

/// Lets agents learn what is normal; returns what they measure meanwhile, if that is wanted.
fn learn(world: &World, wanted: bool) -> Result<Vec<Heard>> {
    let (began, mut all, names) = (Instant::now(), Vec::new(), world.names());
    while began.elapsed() < LEARN {
        if wanted {
            all.push(world.agents()?.ask(began.elapsed().as_secs_f64() - LEARN.as_secs_f64(), &names)?);
        }
        if stop::sleep(Duration::from_secs(1).min(LEARN.saturating_sub(began.elapsed()))) {
            bail!("interrupted");
        }
    }
    Ok(all)
}

/// Time in which some task of the machine waited for a CPU, s. `None`: the kernel does not tell.
fn waited_for_cpu() -> Option<f64> {
    let text = fs::read_to_string("/proc/pressure/cpu").ok()?;
    let some = text.lines().find(|line| line.starts_with("some"))?;
    Some(some.split_once("total=")?.1.trim().parse::<f64>().ok()? / 1e6)
}

/// The course after the onset.
enum Script {
    Fault(Active, Pattern),
    Control(Option<Tick>),
}

impl Script {
    fn prepare(world: &World, plan: &Plan) -> Result<Self> {
        Ok(match &plan.event {
            Event::Fault(fault) => Self::Fault(Active::prepare(world, plan, fault)?, fault.pattern),
            Event::Control(_) => Self::Control(None),
        })
    }

    fn tick(&mut self, world: &mut World, plan: &Plan, now: f64) -> Result<()> {
        match (self, &plan.event) {
            (Self::Fault(active, pattern), _) => active.set(world, pattern.level(now)),
            (Self::Control(tick), Event::Control(control)) => match tick {
                Some(tick) => tick(world, now),
                None => {
                    *tick = Some(controls::begin(world, plan, control)?);
                    Ok(())
                }
            },
            (Self::Control(_), Event::Fault(_)) => Ok(()),
        }
    }
}

fn listen(
    world: &mut World,
    plan: &Plan,
    script: &mut Script,
    mut scraper: Option<&mut Scraper>,
) -> Result<Vec<Heard>> {
    let began = Instant::now();
    let (mut all, mut next) = (Vec::new(), ASK);
    loop {
        let now = began.elapsed().as_secs_f64();
        script.tick(world, plan, now)?;
        if now >= next {
            all.push(world.agents()?.ask(now, &world.names())?);
            if let Some(scraper) = &mut scraper {
                scraper.aim(world.agents()?.addresses())?;
            }
            next = (next + ASK).max(now);
        }
        if now >= LISTEN {
            return Ok(all);
        }
        if stop::sleep(TICK) {
            bail!("interrupted");
        }
    }
}

/// Reports of a flow's client so far.
fn reports(world: &World, flow: usize) -> usize {
    world.program(&flow_name(flow)).map_or(0, |program| program.reports().len())
}

fn figures(world: &World, flow: usize, before: usize) -> Figures {
    let reports = world.program(&flow_name(flow)).map(|program| program.reports()).unwrap_or_default();
    let (first, second) = reports.split_at(before.min(reports.len()));
    let seconds = |reports: &[netwhy_tests::report::Report]| reports.iter().map(Second::of).collect::<Vec<_>>();
    Figures { before: seconds(&first[first.len().saturating_sub(BEFORE)..]), during: seconds(second) }
}

/// Whether a fault can reach a flow.
fn reaches(plan: &Plan, fault: &Fault, flow: usize) -> bool {
    let flow = &plan.traffic.flows[flow];
    let own_program = matches!(fault.mechanism, Mechanism::Stop | Mechanism::Gone) || asks_main_program(flow);
    plan.touches(flow, &fault.place) && (process(fault).is_none() || own_program)
}

/// The clients' figures, who was asked about, and the answers.
fn judge(plan: Plan, world: &World, heard: &[Heard], figures: &[Figures]) -> Result<Case> {
    let severities: Vec<f64> = figures.iter().map(Figures::severity).collect();
    let (mut expected, mut bite) = (None, None);
    if let Event::Fault(fault) = &plan.event {
        let flows: Vec<(bool, f64)> =
            severities.iter().enumerate().map(|(at, severity)| (reaches(&plan, fault, at), *severity)).collect();
        let felt = Bite::of(&flows);
        bite = Some(felt);
        expected = Some(truth(&plan, fault)).filter(|truth| felt.is_noticed() && !truth.causes.is_empty());
    }
    let names = world.names();
    let asked = victims(&plan, &severities, expected.as_ref());
    // Nobody can answer for faults that no agent can see.
    let expected = expected.filter(|_| !asked.is_empty());
    let mut answers: Vec<(f64, Answer)> = Vec::new();
    for moment in heard {
        let all: Vec<Answer> = asked.iter().map(|pod| answer(moment, pod, &names)).collect::<Result<_>>()?;
        // In a control every Pod is asked about; one that is answered is enough for an error.
        let first = all.iter().position(Answer::names).unwrap_or(0);
        answers.push((moment.seconds, all.into_iter().nth(first).unwrap_or_else(Answer::nothing)));
    }
    Ok(Case {
        plan,
        truth: expected,
        bite,
        victims: asked,
        severities,
        answers,
        spoken: spoken(heard, &names),
        cpu_wait: None,
        rivals: None,
    })
}

/// The Pod that somebody would ask about: the client that suffers most, where an agent sees it; else the server that it
/// asks. Without a fault that clients notice: all clients.
fn victims(plan: &Plan, severities: &[f64], truth: Option<&Truth>) -> Vec<String> {
    let covered = |pod: &str| plan.is_covered(plan.node_of(pod));
    let (Event::Fault(fault), Some(_)) = (&plan.event, truth) else {
        let clients = plan.topology.pods.iter().filter(|pod| pod.role == Role::Client && covered(&pod.name));
        return clients.map(|pod| pod.name.clone()).collect();
    };
    let reached = (0..severities.len()).filter(|at| reaches(plan, fault, *at));
    let mut worst: Vec<usize> = reached.collect();
    worst.sort_by(|a, b| severities[*b].total_cmp(&severities[*a]));
    let noticed = |at: &&usize| severities[**at] >= 1.0;
    let clients = worst.iter().filter(noticed).map(|at| plan.traffic.flows[*at].from.as_str());
    let servers = worst.iter().flat_map(|at| plan.servers_of(&plan.traffic.flows[*at]));
    clients.chain(servers).find(|pod| covered(pod)).map(|pod| vec![pod.to_owned()]).unwrap_or_default()
}

/// Every hint that fired: a hint that changes its mind has said two things.
fn spoken(heard: &[Heard], names: &super::culprit::Names) -> Vec<Spoken> {
    let mut all: BTreeMap<(String, String, String, String), Spoken> = BTreeMap::new();
    for moment in heard {
        for (agent, hint) in &moment.hints {
            let said = Answer::of_hint(hint, names);
            let id = hint["id"].as_str().unwrap_or_default().to_owned();
            let subject = hint["subject"]["name"].as_str().unwrap_or_default().to_owned();
            let key = (agent.clone(), id, said.culprit.to_string(), said.cause.clone());
            let entry = all.entry(key).or_insert_with(|| Spoken {
                agent: agent.clone(),
                subject,
                first: moment.seconds,
                last: moment.seconds,
                said: said.clone(),
            });
            (entry.last, entry.said) = (moment.seconds, said);
        }
    }
    all.into_values().collect()
}

/// One line about a case that could not be run.
pub(super) fn failed(plan: &Plan, error: &anyhow::Error) -> String {
    let text = format!("case {} ({}): {error:#}", plan.number, plan.title());
    sh::say(&format!("not run: {text}"));
    text
}
