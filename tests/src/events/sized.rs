//! Calls of any size, for measurements: the same arguments give the same bytes.

use serde_json::json;

use super::{Call, chat};

/// A chat call whose line has about so many bytes: what is missing is said in turns before the last.
pub fn chat_of(bytes: usize) -> impl Fn(&str, i64) -> Call {
    const TURN: usize = 4096;
    move |id, start| {
        let mut call = chat(id, start);
        let line = &mut call.lines[0];
        let mut missing = bytes.saturating_sub(line.to_string().len());
        let mut turns = Vec::new();
        while missing > 0 {
            let length = missing.min(TURN);
            let role = ["user", "assistant"][turns.len() % 2];
            turns.push(json!({"role": role, "content": prose(length, turns.len() as u64)}));
            missing -= length;
        }
        if let Some(messages) = line["kwargs"]["messages"].as_array_mut() {
            messages.splice(1..1, turns);
        }
        call
    }
}

/// A streamed call of so many chunks, of a word each, and the whole answer at its end.
pub fn stream_of(chunks: usize) -> impl Fn(&str, i64) -> Call {
    move |id, start| {
        let mut call = chat(id, start);
        let mut end = call.lines.remove(0);
        end["kwargs"]["stream"] = json!(true);
        let whole = end["response_obj"].clone();
        let said = prose(8 * chunks, 1);
        let words: Vec<_> = said.split_inclusive(' ').cycle().take(chunks).collect();
        let open = end.clone();
        let chunk = |(n, word): (usize, &&str)| {
            let finish = (n + 1 == chunks).then_some("stop");
            let mut line = open.clone();
            line["hook"] = json!("stream");
            line["end_time"] = json!(start + (n as i64 + 1) * 10_000_000);
            line["response_obj"] = json!({
                "id": whole["id"], "object": "chat.completion.chunk",
                "created": whole["created"], "model": whole["model"],
                "choices": [{"index": 0, "delta": {"content": word}, "finish_reason": finish}],
            });
            line
        };
        call.lines = words.iter().enumerate().map(chunk).collect();
        end["response_obj"]["choices"][0]["message"]["content"] = json!(words.concat());
        end["kwargs"]["complete_streaming_response"] = end["response_obj"].clone();
        call.lines.push(end);
        call
    }
}

/// Text as people and models write it: words, quotes, lines.
pub fn prose(bytes: usize, seed: u64) -> String {
    const WORDS: &str = "the model of and answers in a request to that is temperature with for token as \
        \"quoted\" are Paris on we function returns be 1995 largest city, café which by population. from";
    let words: Vec<_> = WORDS.split_whitespace().collect();
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut text = String::with_capacity(bytes + 16);
    while text.len() < bytes {
        // Knuth's MMIX; its high bits are good enough for prose.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        text.push_str(words[(state >> 33) as usize % words.len()]);
        text.push(if (state >> 60) == 0 { '\n' } else { ' ' });
    }
    text.truncate(text.floor_char_boundary(bytes));
    text
}
