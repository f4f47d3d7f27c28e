//! `diagnose`.

use super::{
    Colour, Report, Table, View,
    mermaid::{Chart, Shape},
};
use crate::plugin::model::{Silent, diagnose::Diagnosis};

impl Report for Diagnosis {
    fn text(&self, view: &View) -> String {
        self.list(view).render(view)
    }

    fn table(&self, view: &View) -> Option<Table> {
        Some(self.list(view))
    }

    fn mermaid(&self) -> String {
        let mut chart = Chart::new("LR");
        for sick in &self.items {
            let node = if sick.node.is_empty() { "no Node" } else { &sick.node };
            let on = chart.node(node, Shape::Box);
            let pod = chart.node(&format!("{}/{}", sick.namespace, sick.pod), Shape::Round);
            chart.edge(on, pod, &sick.cause);
        }
        chart.text()
    }

    fn not_answered(&self) -> &[Silent] {
        &self.not_answered
    }
}

impl Diagnosis {
    fn list(&self, view: &View) -> Table {
        let nothing = match self.pods {
            0 => "No Pods here.".to_owned(),
            n => format!("{n} Pods, and none with a cause in its status."),
        };
        let mut head = vec!["NAMESPACE", "POD", "NODE", "CAUSE", "SUMMARY"];
        if view.wide {
            head.extend(["WORKLOAD", "STATUS", "ACTION"]);
        }
        let mut table = Table::new(&head, &nothing);
        for sick in &self.items {
            let node = if sick.node.is_empty() { "–".to_owned() } else { sick.node.clone() };
            let mut cells = vec![
                (sick.namespace.clone(), None),
                (sick.pod.clone(), None),
                (node, None),
                (sick.cause.clone(), Some(Colour::Red)),
                (sick.summary.clone(), None),
            ];
            if view.wide {
                cells.extend([&sick.workload, &sick.status, &sick.action].map(|text| (text.clone(), None)));
            }
            table.coloured(cells);
        }
        table
    }
}
