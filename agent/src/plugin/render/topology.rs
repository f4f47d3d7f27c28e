//! The report of `topology`.

use super::{
    Colour, Report, Table, View,
    mermaid::{Chart, Shape},
};
use crate::plugin::model::{
    SilentAgent,
    topology::{Step, StepHealth, Topology},
};
use crate::text::Text;

impl Report for Topology {
    fn text(&self, view: &View) -> Text {
        let mut out = Text::default();
        // For each depth: whether the branch continues below.
        let mut open: Vec<bool> = Vec::new();
        for (i, step) in self.steps.iter().enumerate() {
            let last = !self.steps[i + 1..].iter().take_while(|s| s.depth >= step.depth).any(|s| s.depth == step.depth);
            open.truncate(step.depth.saturating_sub(1));
            let left: String = open.iter().map(|on| if *on { "│  " } else { "   " }).collect();
            let branch = match (step.depth, last) {
                (0, _) => "",
                (_, true) => "└─ ",
                (_, false) => "├─ ",
            };
            if step.depth > 0 {
                open.push(!last);
            }
            let mark = view.paint.colour(colour(step.health), step.health.label());
            out.push(&format!("{left}{branch}{}/{}  [", step.kind, step.name));
            out.append(&mark);
            out.push(&format!("]  {}", step.summary));
            out.end_line();
            let below: String = open.iter().map(|on| if *on { "│  " } else { "   " }).collect();
            let below = format!("{below}   ");
            if !step.owners.is_empty() {
                let owners = view.paint.colour(Colour::Grey, &format!("owned by {}", step.owners.join(" ← ")));
                out.push(&below);
                out.append(&owners);
                out.end_line();
            }
            if !step.finalizers.is_empty() {
                let text = format!("being deleted; finalizers: {}", step.finalizers.join(", "));
                out.push(&below);
                out.append(&view.paint.colour(Colour::Yellow, &text));
                out.end_line();
            }
        }
        if !self.unknown.is_empty() {
            out.end_line();
            out.append(&view.paint.bold("UNKNOWN"));
            out.end_line();
            for line in &self.unknown {
                out.push(&format!("  {line}"));
                out.end_line();
            }
        }
        out
    }

    fn table(&self, _: &View) -> Option<Table> {
        None
    }

    fn mermaid(&self) -> Text {
        let mut chart = Chart::new("TD");
        let mut path: Vec<(usize, usize)> = Vec::new();
        for step in &self.steps {
            let id = chart.node(&label(step), if step.kind == "Node" { Shape::Box } else { Shape::Round });
            path.retain(|(depth, _)| *depth < step.depth);
            if let Some((_, parent)) = path.last() {
                chart.edge(*parent, id, "");
            }
            path.push((step.depth, id));
            let mut below = id;
            for owner in &step.owners {
                let above = chart.node(owner, Shape::Box);
                chart.edge(above, below, "owns");
                below = above;
            }
        }
        chart.text()
    }

    fn not_answered(&self) -> &[SilentAgent] {
        &self.not_answered
    }
}

fn label(step: &Step) -> String {
    format!("{}/{}\n{}", step.kind, step.name, step.health.label())
}

const fn colour(health: StepHealth) -> Colour {
    match health {
        StepHealth::Well => Colour::Green,
        StepHealth::Unknown => Colour::Grey,
        StepHealth::Degraded => Colour::Yellow,
        StepHealth::Broken => Colour::Red,
    }
}
