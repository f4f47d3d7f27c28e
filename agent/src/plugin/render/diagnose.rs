//! The report of `diagnose`.

use super::{
    Colour, Report, Table, View,
    differs::sections,
    mermaid::{Chart, Shape},
};
use crate::plugin::model::{SilentAgent, diagnose::Diagnosis};
use crate::text::Text;

impl Report for Diagnosis {
    fn text(&self, view: &View) -> Text {
        let mut out = self.list(view).render(view);
        out.append(&sections(&self.differs, view));
        out
    }

    fn table(&self, view: &View) -> Option<Table> {
        Some(self.list(view))
    }

    fn mermaid(&self) -> Text {
        let mut chart = Chart::new("LR");
        for item in &self.items {
            let node = if item.node.is_empty() { "no Node" } else { &item.node };
            let on = chart.node(node, Shape::Box);
            let pod = chart.node(&format!("{}/{}", item.namespace, item.pod), Shape::Round);
            chart.edge(on, pod, &item.cause);
        }
        self.differs.iter().for_each(|differs| differs.section_of(&mut chart));
        chart.text()
    }

    fn not_answered(&self) -> &[SilentAgent] {
        &self.not_answered
    }
}

impl Diagnosis {
    fn list(&self, view: &View) -> Table {
        let nothing = match self.pods {
            0 => "No Pods in this namespace; -A shows all namespaces.".to_owned(),
            n => format!("{n} Pods, all healthy by their status."),
        };
        let mut head = vec!["NAMESPACE", "POD", "NODE", "CAUSE", "SUMMARY"];
        if view.wide {
            head.extend(["WORKLOAD", "STATUS", "ACTION"]);
        }
        let mut table = Table::new(&head, &nothing);
        for item in &self.items {
            let node = if item.node.is_empty() { "–".to_owned() } else { item.node.clone() };
            let mut cells = vec![
                (item.namespace.clone(), None),
                (item.pod.clone(), None),
                (node, None),
                (item.cause.clone(), Some(Colour::Red)),
                (item.summary.clone(), None),
            ];
            if view.wide {
                cells.extend([&item.workload, &item.status, &item.action].map(|text| (text.clone(), None)));
            }
            table.coloured(cells);
        }
        table
    }
}
