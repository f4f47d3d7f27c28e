//! The report of `watch-closer`.

use super::{
    Report, Table, View,
    mermaid::{Chart, Shape},
};
use crate::plugin::model::{SilentAgent, close_up::Requested};
use crate::text::Text;

impl Report for Requested {
    fn text(&self, _: &View) -> Text {
        let Self { namespace, pod, node, until } = self;
        let mut out = Text::default();
        let mut line = |text: String| {
            out.push(&text);
            out.end_line();
        };
        match until {
            None => line(format!("Pod {namespace}/{pod} is sampled as usual again.")),
            Some(until) => {
                let place = "if its Node has a place left";
                line(format!("Pod {namespace}/{pod} on {node} is exempt from sampling until {until}, {place}."));
                line(format!("Ask again in some seconds: kubectl netwhy why pod/{pod} -n {namespace}"));
            }
        }
        out
    }

    fn table(&self, _: &View) -> Option<Table> {
        None
    }

    fn mermaid(&self) -> Text {
        let mut chart = Chart::new("LR");
        let on = chart.node(&self.node, Shape::Box);
        let pod = chart.node(&format!("{}/{}", self.namespace, self.pod), Shape::Round);
        let until = self.until.as_deref().map_or_else(|| "as usual".to_owned(), |time| format!("until {time}"));
        chart.edge(on, pod, &until);
        chart.text()
    }

    fn not_answered(&self) -> &[SilentAgent] {
        &[]
    }
}
