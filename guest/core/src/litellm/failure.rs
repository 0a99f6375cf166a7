//! What a failure hook tells of the error.

use std::borrow::Cow;

use super::kwargs::Kwargs;
use super::{scalar_text, some_text};
use crate::call::Exception;
use crate::json::{Kind, Raw};

/// The exception of a failed call: `kwargs.exception`, or what the standard logging object says.
pub(super) fn exception<'a>(kwargs: &Kwargs<'a>) -> Option<Exception<'a>> {
    let given = kwargs.exception.and_then(from_exception);
    let mut exception = given.or_else(|| from_standard(kwargs))?;
    if exception.stacktrace.is_none() {
        exception.stacktrace = some_text(kwargs.traceback).or_else(|| standard_traceback(kwargs));
    }
    // Python ends it with a line feed, which MLflow's own client takes away.
    exception.stacktrace = exception.stacktrace.map(trim_end);
    Some(exception)
}

fn trim_end(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim_end()),
        Cow::Owned(text) => Cow::Owned(text.trim_end().to_owned()),
    }
}

/// An exception object `{type, message, stacktrace}`, or a text, whose Python class is `str`.
fn from_exception(exception: Raw<'_>) -> Option<Exception<'_>> {
    if exception.kind() != Kind::Object {
        let message = scalar_text(exception).unwrap_or(Cow::Borrowed(exception.text()));
        let kind = Cow::Borrowed(if exception.kind() == Kind::String {
            "str"
        } else {
            "Exception"
        });
        return Some(Exception {
            kind,
            message,
            stacktrace: None,
        });
    }
    let [kind, message, stacktrace] = exception.fields(["type", "message", "stacktrace"]);
    let message = message.and_then(scalar_text);
    Some(Exception {
        kind: some_text(kind).map_or(Cow::Borrowed("Exception"), class_name),
        message: message.unwrap_or_default(),
        stacktrace: some_text(stacktrace),
    })
}

/// `error_information` and `error_str` of the standard logging object.
fn from_standard<'a>(kwargs: &Kwargs<'a>) -> Option<Exception<'a>> {
    let standard = kwargs.standard.as_ref()?;
    let [class, message] = standard.error_information.map_or([None; 2], |information| {
        information.fields(["error_class", "error_message"])
    });
    let class = some_text(class).map(class_name);
    let message = some_text(message).or_else(|| some_text(standard.error_str));
    if class.is_none() && message.is_none() {
        return None;
    }
    Some(Exception {
        kind: class.unwrap_or(Cow::Borrowed("Exception")),
        message: message.unwrap_or_default(),
        stacktrace: None,
    })
}

fn standard_traceback<'a>(kwargs: &Kwargs<'a>) -> Option<Cow<'a, str>> {
    some_text(
        kwargs
            .standard
            .as_ref()?
            .error_information?
            .get("traceback"),
    )
}

/// `litellm.exceptions.RateLimitError` is shown as `RateLimitError`, as MLflow's client does.
fn class_name(path: Cow<'_, str>) -> Cow<'_, str> {
    let is_path = path
        .chars()
        .all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '<' | '>'));
    match path {
        _ if !is_path => path,
        Cow::Borrowed(path) => Cow::Borrowed(path.rsplit('.').next().unwrap_or(path)),
        Cow::Owned(path) => Cow::Owned(path.rsplit('.').next().unwrap_or(&path).to_owned()),
    }
}
