//! Can a provider be reached? One that cannot is a warning: calls to it fail, and are logged all the same.

use std::sync::Arc;

use super::reach::{NoWay, Way};
use super::{Finding, Level};
use crate::config::Upstream;
use crate::origin::Origin;
use crate::tls;

/// Goes the way to a provider's door, without asking for anything.
pub(super) async fn look(upstream: &Upstream) -> Finding {
    let check = format!(
        "upstream {}",
        if upstream.prefix.is_empty() {
            "/"
        } else {
            &upstream.prefix
        }
    );
    let url = &upstream.base_url;
    let Some(origin) = Origin::parse(url) else {
        return Finding::bad(
            Level::Warn,
            check,
            format!("{url} is no URL"),
            "correct `base_url`",
        );
    };
    match reach(upstream, &origin).await {
        Ok(()) => Finding::ok(check, format!("{origin} can be reached")),
        Err(error) => {
            let mend = error.mend("`base_url`");
            Finding::bad(Level::Warn, check, error.to_string(), mend)
        }
    }
}

async fn reach(upstream: &Upstream, origin: &Origin) -> Result<(), NoWay> {
    let tls = match &upstream.ca_file {
        _ if !origin.tls => None,
        Some(file) => Some(tls::trusting(tls::roots(file)?)?),
        None => Some(tls::system()?),
    };
    let way = Way::find(origin, tls.map(Arc::new)).await?;
    way.secure(way.connect().await?).await.map(drop)
}
