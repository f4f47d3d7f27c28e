//! The tools: their names, arguments and answers. All of them read.

use super::{
    super::{
        Failure,
        cli::{self, When},
        commands::past,
        fetch::{self, Session},
        model::{Kind, Target, is_namespace},
        reports,
    },
    brief,
};
use crate::{
    api::AgentStats,
    hints::{RULES, Rule},
};
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Value, json};
use std::sync::Arc;

/// A tool.
struct Definition {
    name: &'static str,
    description: &'static str,
    /// Names, whether they are required, and descriptions.
    arguments: &'static [(&'static str, bool, &'static str)],
}

const TARGET: (&str, bool, &str) =
    ("target", true, "pod/NAME, deploy/NAME, sts/NAME, ds/NAME, job/NAME, svc/NAME, node/NAME or NAME");
const NAMESPACE: (&str, bool, &str) =
    ("namespace", false, "Namespace. Default: that of the kubeconfig context. \"*\": all, where a list is asked for.");

static TOOLS: [Definition; 10] = [
    Definition {
        name: "why",
        description: "Why a Pod, workload, Service or Node is slow: verdict, who is at fault, confidence, evidence, \
                      excluded causes, next step, what changed before it began, and how the blamed Node differs from \
                      others.",
        arguments: &[
            TARGET,
            NAMESPACE,
            ("at", false, "As it was then: RFC 3339, or so long ago, such as 40m. Also for Pods that are gone"),
        ],
    },
    Definition {
        name: "changed",
        description: "What changed near a Pod, workload, Service or Node: rollouts with the differing fields, scaling, \
                      restarts, reboots, taints, evictions, Pods that started on its Node, writes of configuration.",
        arguments: &[
            TARGET,
            NAMESPACE,
            ("since", false, "Length of the time, such as 15m (default) or 2h"),
            ("at", false, "End of the time: RFC 3339, or so long ago, such as 40m. Default: now"),
        ],
    },
    Definition {
        name: "history",
        description: "Findings of the past, in the order of their begin, from the agents' flight recorders: also of Pods \
                      that are gone. `not_recorded` names times of which nothing is known.",
        arguments: &[
            NAMESPACE,
            ("since", true, "Begin of the time: so long ago, such as 6h"),
            ("until", false, "End of the time: RFC 3339, or so long ago, such as 5h. Default: now"),
        ],
    },
    Definition {
        name: "hints",
        description: "All current findings, the most confident first: which Pod suffers, from what, who is at fault.",
        arguments: &[NAMESPACE, ("since", false, "Also those that ended within this time, such as 10m; at most 1h")],
    },
    Definition {
        name: "nodes",
        description: "Nodes by blame: loss to and from each, probability that it is at fault, and how blamed Nodes differ.",
        arguments: &[],
    },
    Definition {
        name: "edge",
        description: "RTT and loss between two Nodes, in both directions.",
        arguments: &[("from", true, "Name of a Node"), ("to", true, "Name of another Node")],
    },
    Definition {
        name: "topology",
        description: "A Service with its EndpointSlices, Pods and Nodes, and the health of each.",
        arguments: &[("service", true, "Name of the Service"), NAMESPACE],
    },
    Definition {
        name: "differs",
        description: "Facts in which a Node differs from the Nodes that are well, or from one other Node, the oddest \
                      first: kernel, driver, firmware, MTU, offloads, sysctls, versions, labels, taints.",
        arguments: &[("node", true, "Name of a Node"), ("other", false, "Compare with this Node only")],
    },
    Definition {
        name: "explain",
        description: "What a cause means: the test, what rules it out, and what to do.",
        arguments: &[("cause", true, "Cause as in the other answers, such as path_loss")],
    },
    Definition {
        name: "health",
        description: "Whether netwhy itself sees everything: agents, versions, missing signals, who does not answer.",
        arguments: &[],
    },
];

/// All tools with the schemas of their arguments.
pub(super) fn all() -> Vec<Tool> {
    TOOLS.iter().map(tool).collect()
}

fn tool(definition: &Definition) -> Tool {
    let Definition { name, description, arguments } = definition;
    let text = |description: &str| json!({"type": "string", "description": description});
    let properties: JsonObject = arguments.iter().map(|(name, _, about)| ((*name).to_owned(), text(about))).collect();
    let required: Vec<&str> = arguments.iter().filter(|(_, required, _)| *required).map(|(name, ..)| *name).collect();
    let schema = JsonObject::from_iter([
        ("type".to_owned(), json!("object")),
        ("properties".to_owned(), Value::Object(properties)),
        ("required".to_owned(), json!(required)),
        ("additionalProperties".to_owned(), json!(false)),
    ]);
    let annotations = ToolAnnotations::new().read_only(true).destructive(false);
    Tool::new(*name, *description, Arc::new(schema)).with_annotations(annotations)
}

/// The arguments of one call.
struct Arguments<'a>(&'a JsonObject);

impl<'a> Arguments<'a> {
    /// Checks them against the tool's definition.
    fn checked(definition: &Definition, given: &'a JsonObject) -> Result<Self, Failure> {
        let known = || definition.arguments.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", ");
        for (name, value) in given {
            if !definition.arguments.iter().any(|(known, ..)| known == name) {
                let what = format!("{} has no argument {name:?}", definition.name);
                return Err(Failure::new(what, format!("its arguments: {}", known())));
            }
            if !value.is_string() {
                return Err(Failure::new(format!("{name} must be a text, not {value}"), ""));
            }
        }
        let arguments = Self(given);
        for (name, _, about) in definition.arguments.iter().filter(|(_, required, _)| *required) {
            if arguments.text(name).is_none() {
                return Err(Failure::new(format!("{} needs the argument {name}", definition.name), *about));
            }
        }
        Ok(arguments)
    }

    /// A text that is not empty.
    fn text(&self, name: &str) -> Option<&'a str> {
        self.0.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    fn target(&self, name: &str, kind: Option<Kind>) -> Result<Target, Failure> {
        let text = self.text(name).unwrap_or_default();
        let target: Target = text.parse().map_err(|why: String| Failure::new(format!("{name} {text:?}"), why))?;
        Ok(Target { kind: target.kind.or(kind), ..target })
    }

    /// A time.
    fn when(&self, name: &str) -> Result<Option<When>, Failure> {
        self.text(name).map(When::parse).transpose().map_err(|why| Failure::new(name, why))
    }

    /// The session that is about the moment of this call.
    fn about(&self, session: Session) -> Result<Session, Failure> {
        match self.when("at")? {
            None => Ok(session),
            Some(at) => Ok(session.about(past::past_moment(at, "at")?)),
        }
    }

    /// The session with the namespace of this call.
    fn session(&self, session: &Session) -> Result<Session, Failure> {
        let namespace = match self.text("namespace") {
            None => session.namespace.clone(),
            Some("*") => None,
            Some(name) if is_namespace(name) => Some(name.to_owned()),
            Some(name) => return Err(Failure::new(format!("{name:?} is no name of a namespace"), "")),
        };
        let mut global = (*session.global).clone();
        global.since = self.text("since").map(cli::since).transpose().map_err(|why| Failure::new("since", why))?;
        Ok(Session { namespace, global: Arc::new(global), ..session.clone() })
    }
}

/// Answers one call.
///
/// # Errors
/// On an unknown tool, wrong arguments, or when there is nothing to answer.
pub(super) async fn call(session: &Session, name: &str, given: &JsonObject) -> Result<Value, Failure> {
    let names = || TOOLS.iter().map(|tool| tool.name).collect::<Vec<_>>().join(", ");
    let definition = TOOLS.iter().find(|tool| tool.name == name);
    let definition = definition.ok_or_else(|| Failure::new(format!("no tool is named {name:?}"), names()))?;
    let arguments = Arguments::checked(definition, given)?;
    let session = arguments.session(session)?;
    match name {
        "why" => {
            let session = arguments.about(session)?;
            Ok(brief::why(&reports::why(&session, &arguments.target("target", None)?).await?))
        }
        "changed" => {
            let session = arguments.about(session)?;
            Ok(brief::changed(&reports::changed(&session, &arguments.target("target", None)?).await?))
        }
        "history" => {
            let range = past::range_of(session.global.since, arguments.when("until")?)?;
            Ok(brief::history(&past::hints(&session, range).await?))
        }
        "hints" => Ok(brief::hints(&reports::hints(&session).await?)),
        "nodes" => Ok(brief::nodes(&reports::nodes_with_differences(&session).await?)),
        "edge" => {
            let (from, to) = (arguments.text("from").unwrap_or_default(), arguments.text("to").unwrap_or_default());
            brief::edge(&reports::all_pairs(&session).await?, from, to)
        }
        "topology" => {
            let target = arguments.target("service", Some(Kind::Service))?;
            Ok(brief::topology(&fetch::topology(&session, &target).await?))
        }
        "differs" => {
            let node = arguments.target("node", Some(Kind::Node))?;
            let other = arguments.text("other").map(|_| arguments.target("other", Some(Kind::Node))).transpose()?;
            Ok(brief::differs(&reports::diff(&session, &node, other.as_ref()).await?))
        }
        "explain" => rule(arguments.text("cause").unwrap_or_default()).map(brief::cause),
        _ => {
            let answers = session.ask_all::<AgentStats>("/api/v1/info").await?;
            let agents: Vec<AgentStats> = answers.got.into_iter().map(|(_, stats)| stats).collect();
            Ok(brief::health(&agents, &answers.silent))
        }
    }
}

fn rule(cause: &str) -> Result<&'static Rule, Failure> {
    let all = || RULES.iter().map(|rule| rule.id).collect::<Vec<_>>().join(", ");
    RULES
        .iter()
        .find(|rule| rule.id == cause)
        .ok_or_else(|| Failure::new(format!("no cause is named {cause:?}"), format!("causes: {}", all())))
}

#[cfg(test)]
mod tests;
