//! From an experiment's name to its id: looked up, and created if absent.
//!
//! MLflow REST API 2.0, "Get Experiment By Name" and "Create Experiment".

use super::Obstacle;
use super::verdict::{is_page, misconfigured, told, unavailable};
use crate::json::{self, Raw};
use crate::report::Cause;
use crate::settings::{Experiment, Protocol, Server};
use crate::transport::{Method, Response, TransportError, percent_encoded};

/// How far the lookup is.
#[derive(Debug)]
pub(super) enum Lookup {
    /// There are no experiments: plain OTLP.
    NotNeeded,
    /// To be asked for by name.
    Ask,
    /// To be asked for by name again: somebody else created it meanwhile.
    AskAgain,
    /// To be created.
    Create,
    /// Asked for or being created.
    Asked { creating: bool, again: bool },
    /// Known.
    Known(String),
}

/// What is to be done next.
pub(super) enum Step<'l> {
    /// Wait for the answer.
    Wait,
    /// Send this.
    Ask {
        method: Method,
        url: String,
        body: Vec<u8>,
    },
    /// Send spans, with the experiment's id if there are experiments.
    Known(Option<&'l str>),
}

/// What stands in the way, and whether it does for this experiment alone.
pub(super) struct Failure {
    pub obstacle: Obstacle,
    pub of_lane: bool,
}

impl Lookup {
    pub fn new(experiment: &Experiment, protocol: Protocol) -> Self {
        match (protocol, experiment) {
            (Protocol::Otlp, _) => Self::NotNeeded,
            (Protocol::Mlflow, Experiment::Id(id)) => Self::Known(id.clone()),
            (Protocol::Mlflow, Experiment::Name(_)) => Self::Ask,
        }
    }

    /// Whether an answer is still to come.
    pub fn is_asked(&self) -> bool {
        matches!(self, Self::Asked { .. })
    }

    pub fn step(&mut self, server: &Server, experiment: &Experiment) -> Step<'_> {
        let (Experiment::Name(name) | Experiment::Id(name)) = experiment;
        let base = format!("{}/api/2.0/mlflow/experiments", server.tracking_uri);
        let (creating, again) = match self {
            Self::NotNeeded => return Step::Known(None),
            Self::Known(id) => return Step::Known(Some(id)),
            Self::Asked { .. } => return Step::Wait,
            Self::Ask => (false, false),
            Self::AskAgain => (false, true),
            Self::Create => (true, false),
        };
        *self = Self::Asked { creating, again };
        if creating {
            let mut body = b"{\"name\":".to_vec();
            json::write_str(name, &mut body);
            body.push(b'}');
            Step::Ask {
                method: Method::Post,
                url: format!("{base}/create"),
                body,
            }
        } else {
            Step::Ask {
                method: Method::Get,
                url: format!(
                    "{base}/get-by-name?experiment_name={}",
                    percent_encoded(name)
                ),
                body: Vec::new(),
            }
        }
    }

    pub fn on_answer(
        &mut self,
        answer: &Result<Response, TransportError>,
        server: &Server,
        experiment: &Experiment,
    ) -> Result<(), Failure> {
        let creating = matches!(self, Self::Asked { creating: true, .. });
        let again = matches!(self, Self::Asked { again: true, .. });
        *self = Self::Ask;
        let response = answer.as_ref().map_err(|error| Failure {
            obstacle: Obstacle::unreachable(error, server),
            of_lane: false,
        })?;
        let body = String::from_utf8_lossy(&response.body);
        let answered = Raw::parse(&body).ok();
        let code = answered.and_then(|answer| answer.get("error_code"));
        let code = code.and_then(Raw::as_str).unwrap_or_default();
        match (response.status, code.as_ref()) {
            (200, _) if is_page(response) => Err(Failure {
                obstacle: misconfigured(response, server),
                of_lane: false,
            }),
            (200, _) => {
                let id = answered.and_then(|answer| id(answer, experiment));
                *self = Self::Known(id.unwrap_or_else(|| {
                    Err(Failure {
                        obstacle: misconfigured(response, server),
                        of_lane: true,
                    })
                })?);
                Ok(())
            }
            (404, "RESOURCE_DOES_NOT_EXIST") if !creating && !again => {
                *self = Self::Create;
                Ok(())
            }
            (400, "RESOURCE_ALREADY_EXISTS") if creating => {
                *self = Self::AskAgain;
                Ok(())
            }
            // It exists and does not: the server contradicts itself.
            (404, "RESOURCE_DOES_NOT_EXIST") if again => Err(Failure {
                obstacle: unavailable(response, server),
                of_lane: true,
            }),
            (400, _) => Err(Failure {
                obstacle: Obstacle::new(
                    Cause::Misconfigured,
                    format!("{experiment}: {}", told(response, server)),
                ),
                of_lane: true,
            }),
            (408 | 429 | 500.., _) => Err(Failure {
                obstacle: unavailable(response, server),
                of_lane: false,
            }),
            _ => Err(Failure {
                obstacle: misconfigured(response, server),
                of_lane: false,
            }),
        }
    }
}

/// The id that an answer gives; an error where the experiment is deleted.
fn id(answer: Raw<'_>, experiment: &Experiment) -> Option<Result<String, Failure>> {
    let found = answer.get("experiment").unwrap_or(answer);
    let [id, stage] = found.fields(["experiment_id", "lifecycle_stage"]);
    let id = id.and_then(Raw::as_str)?.into_owned();
    if stage.and_then(Raw::as_str).as_deref() == Some("deleted") {
        let reason = format!(
            "{experiment} is deleted: bring it back with `mlflow experiments restore -x {id}`, or set \
             another name"
        );
        return Some(Err(Failure {
            obstacle: Obstacle::new(Cause::Misconfigured, reason),
            of_lane: true,
        }));
    }
    // A header field is to carry it.
    let plain = id.bytes().all(|byte| byte.is_ascii_graphic());
    plain.then_some(Ok(id))
}
