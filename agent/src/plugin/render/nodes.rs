//! The report of `nodes`.

use super::{
    Colour, Report, Table, View,
    differs::sections,
    mermaid::{Chart, Shape},
};
use crate::plugin::model::{
    SilentAgent,
    health::{percent, seconds},
    nodes::{Losses, NodeFacts, Nodes},
};
use crate::text::Text;

impl Report for Nodes {
    fn text(&self, view: &View) -> Text {
        let mut out = self.list(view).render(view);
        if !self.items.is_empty() {
            let note = "BLAME: probability that the Node is at fault; –: inconclusive. BLAMED: hints that blame this \
                        Node. PEERS WORSE: Nodes that lose more towards this Node than towards their median peer. \
                        LOSS: episodes per segment, to and from this Node.";
            for line in super::wrap(note, view.width.max(40)) {
                out.append(&view.paint.colour(Colour::Grey, &line));
                out.end_line();
            }
        }
        out.append(&sections(&self.differs, view));
        out
    }

    fn table(&self, view: &View) -> Option<Table> {
        Some(self.list(view))
    }

    fn mermaid(&self) -> Text {
        let mut chart = Chart::new("LR");
        for node in &self.items {
            let label = format!("{}\nin {}, out {}", node.node, loss(&node.into), loss(&node.out));
            let id = chart.node(&label, Shape::Box);
            if node.peers > 0 {
                let peers = chart.node(&format!("{} peers of {}", node.peers, node.node), Shape::Round);
                chart.edge(peers, id, &format!("{} of {} worse", node.peers_worse, node.peers));
            }
        }
        self.differs.iter().for_each(|differs| differs.section_of(&mut chart));
        chart.text()
    }

    fn not_answered(&self) -> &[SilentAgent] {
        &self.not_answered
    }
}

impl Nodes {
    fn list(&self, view: &View) -> Table {
        let mut head = vec!["NODE", "BLAME", "BLAMED", "PEERS WORSE", "LOSS IN", "LOSS OUT", "RTT TO IT", "HINTS"];
        if view.wide {
            head.extend(["SEGMENTS IN", "EPISODES IN", "SEGMENTS OUT", "EPISODES OUT"]);
        }
        let mut table = Table::new(&head, "No Nodes: no agent answered.");
        for node in &self.items {
            let bad = node.blamed_by > 0 || (node.peers_worse > 0 && 2 * node.peers_worse > node.peers);
            let colour = bad.then_some(Colour::Red);
            let mut cells = vec![
                (node.node.clone(), colour),
                (node.blame.map_or_else(|| "–".to_owned(), |score| format!("{score:.2}")), None),
                (node.blamed_by.to_string(), colour.filter(|_| node.blamed_by > 0)),
                (worse(node), colour),
                (loss(&node.into), None),
                (if node.answered { loss(&node.out) } else { "no answer".to_owned() }, None),
                (node.min_rtt_seconds.map_or_else(|| "–".to_owned(), seconds), None),
                (node.hints.to_string(), None),
            ];
            if view.wide {
                let sums = [node.into.segments, node.into.episodes, node.out.segments, node.out.episodes];
                cells.extend(sums.map(|n| (n.to_string(), None)));
            }
            table.coloured(cells);
        }
        table
    }
}

fn worse(node: &NodeFacts) -> String {
    if node.peers == 0 { "–".to_owned() } else { format!("{} of {}", node.peers_worse, node.peers) }
}

/// A ratio, or a dash for too few segments.
fn loss(losses: &Losses) -> String {
    losses.ratio().map_or_else(|| "–".to_owned(), percent)
}
