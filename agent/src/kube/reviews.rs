//! Reviews of bearer tokens: the API server says who holds a token, and whether that user may get a path.

use super::{
    client::Cluster,
    failure::{FailureKind, one_line},
};
use ::kube::{Client, Resource, api::PostParams, core::Request};
use k8s_openapi::api::{
    authentication::v1::{TokenReview, TokenReviewSpec, UserInfo},
    authorization::v1::{NonResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec},
};
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;

/// Longest time for both reviews. A scrape has 10 s by default.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The API server's verdict on a token and a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The token's user may get the path.
    Allowed,
    /// The API server does not accept the token.
    Unauthenticated,
    /// The token's user may not get the path.
    Forbidden {
        /// The user's name, such as `system:serviceaccount:monitoring:prometheus`.
        user: String,
    },
}

/// Asks an API server for verdicts.
#[derive(Clone)]
pub struct Reviews {
    client: Client,
}

impl Reviews {
    /// Asks this cluster's API server.
    pub fn new(cluster: &Cluster) -> Self {
        Self { client: cluster.client.clone() }
    }

    /// Whether the token's user may `get` the non-resource URL `path`, as a TokenReview and a SubjectAccessReview say.
    ///
    /// # Errors
    /// When the API server doesn't answer within 5 s or refuses the question. One line with the remedy, without the
    /// token.
    pub async fn verdict(&self, token: &str, path: &str) -> Result<Verdict, String> {
        match tokio::time::timeout(TIMEOUT, self.ask(token, path)).await {
            Ok(verdict) => verdict,
            Err(_) => Err(format!("no response to a review within {} s; the agent retries", TIMEOUT.as_secs())),
        }
    }

    async fn ask(&self, token: &str, path: &str) -> Result<Verdict, String> {
        let spec = TokenReviewSpec { token: Some(token.to_owned()), ..TokenReviewSpec::default() };
        let review = self.create(&TokenReview { spec, ..TokenReview::default() }).await?;
        let status = review.status.unwrap_or_default();
        if status.authenticated != Some(true) {
            return Ok(Verdict::Unauthenticated);
        }
        let UserInfo { extra, groups, uid, username } = status.user.unwrap_or_default();
        let attributes = NonResourceAttributes { path: Some(path.to_owned()), verb: Some("get".to_owned()) };
        let spec = SubjectAccessReviewSpec {
            extra,
            groups,
            uid,
            user: username.clone(),
            non_resource_attributes: Some(attributes),
            ..SubjectAccessReviewSpec::default()
        };
        let review = self.create(&SubjectAccessReview { spec, ..SubjectAccessReview::default() }).await?;
        let status = review.status.unwrap_or_default();
        if status.allowed && status.denied != Some(true) {
            return Ok(Verdict::Allowed);
        }
        Ok(Verdict::Forbidden { user: username.unwrap_or_default() })
    }

    /// Creates a review and reads it back. The crate's own way would log a response that it can't read, and that
    /// response contains the token.
    async fn create<K>(&self, review: &K) -> Result<K, String>
    where
        K: Resource<DynamicType = ()> + Serialize + DeserializeOwned,
    {
        let kind = K::kind(&()).into_owned();
        let failed = |why: String, kind_of: FailureKind| format!("{kind}: {why}: {}", kind_of.remedy);
        let body = serde_json::to_vec(review).map_err(|error| failed(error.to_string(), FailureKind::OTHER))?;
        let request = Request::new(K::url_path(&(), None)).create(&PostParams::default(), body);
        let request = request.map_err(|error| failed(one_line(&error), FailureKind::OTHER))?;
        let text = self.client.request_text(request).await;
        let text = text.map_err(|error| failed(one_line(&error), FailureKind::of_request(&error)))?;
        serde_json::from_str(&text).map_err(|_| failed("the response is no review".to_owned(), FailureKind::UNREADABLE))
    }
}
