//! What was found, as lines for people and as an object for scripts.

use std::fmt;

use logger_core::transport::one_line;
use serde::Serialize;

/// How good what was found is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Calls are logged, but somebody should know.
    Warn,
    /// Calls are not logged as things are.
    Fail,
}

/// What a check has found.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The check.
    pub check: String,
    /// How good it is.
    pub level: Level,
    /// What was found, in one line.
    pub said: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
}

/// All that was found, in order.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// What the checks found.
    pub checks: Vec<Finding>,
    /// Checks that a failure kept from being made.
    pub not_checked: Vec<&'static str>,
    #[serde(skip)]
    secrets: Vec<String>,
}

impl Finding {
    /// All is well.
    pub fn ok(check: impl Into<String>, said: impl Into<String>) -> Self {
        Self {
            check: check.into(),
            level: Level::Ok,
            said: said.into(),
            mend: None,
        }
    }

    /// Not all is well.
    pub fn bad(
        level: Level,
        check: impl Into<String>,
        said: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            level,
            mend: Some(mend.into()),
            ..Self::ok(check, said)
        }
    }
}

impl Report {
    /// Whether nothing failed.
    pub fn is_good(&self) -> bool {
        self.checks
            .iter()
            .all(|finding| finding.level != Level::Fail)
    }

    /// Texts that are never to be shown, whoever says them: a server may answer with what it was sent.
    pub fn hide(&mut self, secrets: Vec<String>) {
        self.secrets = secrets;
    }

    /// Takes a finding in, on one line and without secrets.
    pub fn add(&mut self, mut finding: Finding) {
        finding.said = self.line(&finding.said);
        finding.mend = finding.mend.map(|mend| self.line(&mend));
        self.checks.push(finding);
    }

    /// A check has found what it should.
    pub fn ok(&mut self, check: &str, said: impl Into<String>) {
        self.add(Finding::ok(check, said));
    }

    /// A check has found something to know.
    pub fn warn(&mut self, check: &str, said: impl Into<String>, mend: impl Into<String>) {
        self.add(Finding::bad(Level::Warn, check, said, mend));
    }

    /// A check has failed.
    pub fn fail(&mut self, check: &str, said: impl Into<String>, mend: impl Into<String>) {
        self.add(Finding::bad(Level::Fail, check, said, mend));
    }

    /// Notes those of these checks that were not made.
    pub fn lack(&mut self, expected: &[&'static str]) {
        let made = |name: &&&str| self.checks.iter().any(|finding| finding.check == **name);
        self.not_checked = expected
            .iter()
            .filter(|name| !made(name))
            .copied()
            .collect();
    }

    fn line(&self, text: &str) -> String {
        let line = one_line(text);
        let hide = |line: String, secret: &String| line.replace(secret.as_str(), "(hidden)");
        self.secrets.iter().fold(line, hide)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.checks.iter().map(|finding| finding.check.len());
        let width = widths.max().unwrap_or_default();
        for finding in &self.checks {
            let level = match finding.level {
                Level::Ok => "ok",
                Level::Warn => "warn",
                Level::Fail => "fail",
            };
            write!(f, "{level:<4}  {:<width$}  {}", finding.check, finding.said)?;
            match &finding.mend {
                Some(mend) => writeln!(f, "; mend: {mend}")?,
                None => writeln!(f)?,
            }
        }
        if !self.not_checked.is_empty() {
            let names = self.not_checked.join(", ");
            writeln!(f, "not checked, since the above failed: {names}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line_without_secrets() {
        let mut report = Report::default();
        report.hide(vec!["hush".to_owned()]);
        report.fail("auth", "it said\r\n\"hush\u{1b}[31m, hush\"", "do\nthis");
        report.ok("tcp", "fine");
        report.lack(&["tcp", "test trace"]);
        assert_eq!(
            report.to_string(),
            "fail  auth  it said \"(hidden) [31m, (hidden)\"; mend: do this\nok    tcp   fine\n\
             not checked, since the above failed: test trace\n"
        );
        assert!(!report.is_good());
        let json = serde_json::to_string(&report).unwrap();
        assert!(!json.contains("hush"), "{json}");
    }
}
