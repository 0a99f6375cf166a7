//! Messages of AWS's event stream, from how a person writes them.

use serde_json::Value;

/// The message of `{"headers": {…}, "payload": …}`.
pub(crate) fn message(event: &Value) -> Vec<u8> {
    let mut fields = Vec::new();
    for (name, value) in event["headers"].as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        fields.push(name.len() as u8);
        fields.extend_from_slice(name.as_bytes());
        // A text.
        fields.push(7);
        fields.extend_from_slice(&(value.len() as u16).to_be_bytes());
        fields.extend_from_slice(value.as_bytes());
    }
    let payload = event["payload"].to_string();
    let length = 16 + fields.len() + payload.len();
    let mut message = (length as u32).to_be_bytes().to_vec();
    message.extend_from_slice(&(fields.len() as u32).to_be_bytes());
    message.extend_from_slice(&checksum(&message));
    message.extend_from_slice(&fields);
    message.extend_from_slice(payload.as_bytes());
    message.extend_from_slice(&checksum(&message));
    message
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum().to_be_bytes()
}
