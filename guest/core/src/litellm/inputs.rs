//! What was asked.

use super::Payload;
use crate::call::Operation;
use crate::json::Raw;

/// The members of the span's inputs, in MlflowLogger's order. Of a stream, the first chunk's count.
pub(super) fn inputs<'a>(
    opening: &Payload<'a>,
    payload: &Payload<'a>,
    operation: Operation,
) -> Vec<(&'static str, Raw<'a>)> {
    const OPTIONAL: [&str; 5] = ["functions", "tools", "stream", "tool_choice", "user"];
    let either =
        |pick: fn(&Payload<'a>) -> Option<Raw<'a>>| pick(opening).or_else(|| pick(payload));
    let messages = either(|payload| payload.kwargs.messages);
    let mut inputs = vec![("messages", messages.unwrap_or(Raw::NULL))];
    let input = either(|payload| payload.kwargs.input);
    let own_input =
        !matches!(operation, Operation::Chat | Operation::TextCompletion) || messages.is_none();
    if let (true, Some(input)) = (own_input, input) {
        inputs.push(("input", input));
    }
    let first = opening.kwargs.optional_params.named(OPTIONAL);
    let last = payload.kwargs.optional_params.named(OPTIONAL);
    for ((name, first), last) in OPTIONAL.into_iter().zip(first).zip(last) {
        let top = if name == "tools" {
            opening.kwargs.tools
        } else {
            None
        };
        if let Some(value) = first.or(last).or(top).filter(|value| value.is_truthy()) {
            inputs.push((name, value));
        }
    }
    if let Some(prediction) =
        either(|payload| payload.kwargs.prediction).filter(|value| value.is_truthy())
    {
        inputs.push(("prediction", prediction));
    }
    inputs
}

/// The tools the model could call.
pub(super) fn tools<'a>(payload: &Payload<'a>) -> Option<Raw<'a>> {
    let [tools] = payload.kwargs.optional_params.named(["tools"]);
    tools
        .or(payload.kwargs.tools)
        .filter(|tools| tools.is_truthy())
}
