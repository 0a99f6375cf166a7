//! OTLP protobuf. (Being written.)
