//! Asks why about the object of an alert.

use super::target::{Candidate, Wanted};
use crate::plugin::{
    Failure,
    fetch::{self, Session},
    model::why::Explanation,
    reports,
};
use std::time::Duration;
use tokio::time::timeout;

/// Longest look-up.
const LIMIT: Duration = Duration::from_secs(60);

/// The verdict about the first object that there is, else the reason of the likeliest one.
pub(super) async fn ask(session: &Session, candidates: &[Candidate]) -> (Candidate, Result<Box<Explanation>, Failure>) {
    let mut first = None;
    for candidate in candidates {
        let asked = timeout(LIMIT, one(session, candidate)).await;
        let late = || Err(Failure::new(format!("no verdict within {} s", LIMIT.as_secs()), ""));
        match asked.unwrap_or_else(|_| late()) {
            Ok((about, case)) => return (about, Ok(Box::new(case))),
            Err(failure) => drop(first.get_or_insert((candidate.clone(), Err(failure)))),
        }
    }
    first.unwrap_or_else(|| {
        let nothing = Candidate { namespace: None, wanted: Wanted::Holder(std::net::Ipv4Addr::UNSPECIFIED.into()) };
        (nothing, Err(Failure::new("the alert names no object", "")))
    })
}

async fn one(session: &Session, candidate: &Candidate) -> Result<(Candidate, Explanation), Failure> {
    let (namespace, target) = match &candidate.wanted {
        Wanted::Object(target) => (candidate.namespace.clone(), target.clone()),
        Wanted::Holder(address) => fetch::holder(session, *address).await?,
    };
    let about = Candidate { namespace, wanted: Wanted::Object(target.clone()) };
    // An alert without a namespace is about the flag's, else about any.
    let namespace = about.namespace.clone().or_else(|| session.global.namespace.clone());
    let session = Session { namespace, ..session.clone() };
    let case = reports::why(&session, &target).await?;
    Ok((about, case))
}
