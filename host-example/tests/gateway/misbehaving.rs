//! A plugin that means harm behind the gateway: clients never see it, other calls are unharmed, and
//! metrics count it.

use crate::common::misbehaving_path;
use crate::play::{Answer, Gateway, Mlflow, Upstream, eventually, get, post, value};

const CHAT: &str = "/up/v1/chat/completions";
/// Little enough that a loop ends soon, and far more than a hook needs.
const LIMITS: &str =
    "[limits]\nplugin_cpu_ms = 100\nplugin_memory_bytes = 33554432\n[queue]\nworkers = 1\n";
/// Calls before and after each that does harm.
const AROUND: usize = 5;

struct Run {
    gateway: Gateway,
    _upstream: Upstream,
}

impl Run {
    async fn start() -> Self {
        let upstream = Upstream::json(r#"{"ok":true}"#).await;
        let mlflow = Mlflow::start().await;
        let config = Gateway::config(&upstream.url, &mlflow, "", LIMITS);
        Self {
            gateway: Gateway::start_with(&config, &misbehaving_path()).await,
            _upstream: upstream,
        }
    }

    /// A call whose logging has the plugin do this.
    async fn call(&self, act: &str) {
        let body = format!(r#"{{"say":"misbehave:{act}"}}"#);
        let answer = Answer::of(post(&self.gateway.address, CHAT, body).await).await;
        assert_eq!((answer.status(), answer.text()), (200, r#"{"ok":true}"#));
    }

    /// One such call among others.
    async fn call_among_others(&self, act: &str) {
        for _ in 0..AROUND {
            self.call("nothing").await;
        }
        self.call(act).await;
        for _ in 0..AROUND {
            self.call("nothing").await;
        }
    }

    /// A metric; 0 where nothing was counted yet.
    async fn count(&self, name: &str) -> usize {
        let metrics = get(&self.gateway.metrics, "/metrics").await;
        let there = metrics.text().lines().any(|line| line.starts_with(name));
        if there {
            value(metrics.text(), name) as usize
        } else {
            0
        }
    }

    async fn logged(&self, fate: &str) -> usize {
        let name = format!("gateway_logged_total{{fate=\"{fate}\"}}");
        self.count(&name).await
    }

    async fn settled(&self, delivered: usize, refused: usize, what: &str) {
        let counts = async || (self.logged("Delivered").await, self.logged("Refused").await);
        eventually(what, async || {
            let (now_delivered, now_refused) = counts().await;
            assert!(now_refused <= refused, "{what}: {now_refused} are refused");
            (now_delivered >= delivered && now_refused >= refused).then_some(())
        })
        .await;
        assert_eq!(counts().await, (delivered, refused), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn harm_is_the_end_of_its_call_alone() {
    let run = Run::start().await;
    let acts = [
        "trap@log",
        "loop@log",
        "hog@log",
        "recurse@log",
        "trap@drop",
        "trap@flush",
        "loop@flush",
        "hog@flush",
        "recurse@flush",
    ];
    for (number, act) in (1..).zip(acts) {
        let lost = run.count("gateway_plugin_restarts_total").await;
        run.call_among_others(act).await;
        run.settled(number * AROUND * 2, number, act).await;
        let lost = run.count("gateway_plugin_restarts_total").await - lost;
        assert!(lost > 0, "{act}");
        println!(
            "count: {act}: {} calls delivered, 1 refused, gateway_plugin_restarts_total grew by {lost}",
            2 * AROUND
        );
    }
    run.gateway.said("the plugin trapped in `flush`").await;
    run.gateway
        .said("the call used more than 100 ms of CPU time")
        .await;
    println!(
        "count: {} calls, {} delivered, {} refused",
        acts.len() * (2 * AROUND + 1),
        acts.len() * 2 * AROUND,
        acts.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_while_it_is_asked_when_to_flush_holds_nobody_up() {
    let run = Run::start().await;
    run.call_among_others("trap@wake").await;
    // Whether the call itself was delivered before it came to that is up to chance.
    eventually("an end of all calls", async || {
        let ended = run.logged("Delivered").await + run.logged("Refused").await;
        (ended == 2 * AROUND + 1).then_some(())
    })
    .await;
    assert!(run.logged("Delivered").await >= 2 * AROUND);
    assert!(run.count("gateway_plugin_restarts_total").await > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_in_reports_is_neither_believed_nor_counted_twice() {
    let run = Run::start().await;
    run.call_among_others("report-strangers").await;
    run.settled(2 * AROUND + 1, 0, "strangers").await;
    run.call_among_others("report-twice").await;
    run.settled(2 * (2 * AROUND + 1), 0, "twice").await;
    run.call_among_others("flush-error").await;
    run.settled(3 * (2 * AROUND + 1), 0, "an error").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_never_reported_is_told_at_the_end() {
    let mut run = Run::start().await;
    run.call_among_others("report-never").await;
    run.settled(2 * AROUND, 0, "never").await;
    run.gateway.signal(rustix::process::Signal::TERM);
    run.gateway
        .said("calls could not be delivered in time")
        .await;
    assert_eq!(run.gateway.ended().await, 3);
}
