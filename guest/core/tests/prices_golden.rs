//! What calls to real models cost, worked by hand.

#[path = "support/prices.rs"]
mod support;

use logger_core::call::Usage;
use logger_core::prices::Amount;
use support::{million, price, tokens};

#[test]
fn openai_cached_input_and_reasoning() {
    // 1000 in, 800 of them cached: 200 x 0.15 + 800 x 0.075 = 90. 500 out x 0.60 = 300.
    let usage = Usage {
        cache_read: Some(800),
        ..tokens(1000, 500)
    };
    million("openai", "gpt-4o-mini-2024-07-18", usage, 90.0, 300.0);
    // 2000 x 1.10 = 2200. Reasoning is output like any other: 3000 x 4.40 = 13,200.
    let usage = Usage {
        reasoning: Some(2500),
        ..tokens(2000, 3000)
    };
    million("openai", "o3-mini", usage, 2200.0, 13_200.0);
    // 10,000 in, 6000 cached: 4000 x 1.25 + 6000 x 0.125 = 5750. 1000 x 10 = 10,000.
    let usage = Usage {
        cache_read: Some(6000),
        reasoning: Some(640),
        ..tokens(10_000, 1000)
    };
    million("openai", "gpt-5-2025-08-07", usage, 5750.0, 10_000.0);
}

#[test]
fn an_older_version_keeps_its_own_price() {
    // 100 x 5 = 500 and 10 x 15 = 150, where gpt-4o has 2.50 and 10.
    million("openai", "gpt-4o-2024-05-13", tokens(100, 10), 500.0, 150.0);
    million("openai", "gpt-4o-2024-11-20", tokens(100, 10), 250.0, 100.0);
}

#[test]
fn openai_above_272_thousand() {
    // 272,000 x 2.50 = 680,000; 1000 x 15 = 15,000.
    million(
        "openai",
        "gpt-5.4",
        tokens(272_000, 1000),
        680_000.0,
        15_000.0,
    );
    // One token more, and all of it at 5 and 22.50; cached 100,000 x 0.50 = 50,000:
    // 172,001 x 5 + 50,000 = 910,005; 1000 x 22.50 = 22,500.
    let usage = Usage {
        cache_read: Some(100_000),
        ..tokens(272_001, 1000)
    };
    million("openai", "gpt-5.4", usage, 910_005.0, 22_500.0);
}

#[test]
fn openai_audio_and_images() {
    // In: 100 text x 2.50 + 200 audio x 40 = 8250. Out: 50 text x 10 + 150 audio x 80 = 12,500.
    let usage = Usage {
        input_audio: Some(200),
        output_audio: Some(150),
        ..tokens(300, 200)
    };
    million("openai", "gpt-4o-audio-preview", usage, 8250.0, 12_500.0);
    // In: 20 text x 5 + 300 image x 10 = 3100. Out: 4160 x 40 = 166,400, all of it image.
    let usage = Usage {
        input_image: Some(300),
        ..tokens(320, 4160)
    };
    million("openai", "gpt-image-1", usage, 3100.0, 166_400.0);
}

#[test]
fn anthropic_cache_written_and_read() {
    // 10,000 in: 2000 plain x 3 + 3000 written x 3.75 + 5000 read x 0.30 = 18,750. 400 x 15 = 6000.
    let usage = Usage {
        cache_creation: Some(3000),
        cache_read: Some(5000),
        ..tokens(10_000, 400)
    };
    million(
        "anthropic",
        "claude-sonnet-4-5-20250929",
        usage,
        18_750.0,
        6000.0,
    );
    // Above 200,000: 50,000 x 6 + 100,000 x 7.50 + 100,000 x 0.60 = 1,110,000. 1000 x 22.50.
    let usage = Usage {
        cache_creation: Some(100_000),
        cache_read: Some(100_000),
        ..tokens(250_000, 1000)
    };
    million(
        "anthropic",
        "claude-sonnet-4-5",
        usage,
        1_110_000.0,
        22_500.0,
    );
    // Through Vertex, by Vertex's spelling: 100 x 0.80 = 80, 100 x 4 = 400.
    million(
        "vertex_ai",
        "claude-3-5-haiku@20241022",
        tokens(100, 100),
        80.0,
        400.0,
    );
}

#[test]
fn bedrock_by_geography() {
    // 1000 x 3 = 3000, 100 x 15 = 1500; one geography costs a tenth more.
    let model = "anthropic.claude-sonnet-4-5-20250929-v1:0";
    million("bedrock", model, tokens(1000, 100), 3000.0, 1500.0);
    million(
        "bedrock",
        &format!("global.{model}"),
        tokens(1000, 100),
        3000.0,
        1500.0,
    );
    million(
        "bedrock",
        &format!("us.{model}"),
        tokens(1000, 100),
        3300.0,
        1650.0,
    );
    let arn = format!("arn:aws:bedrock:eu-west-1:1:inference-profile/eu.{model}");
    million("bedrock_converse", &arn, tokens(1000, 100), 3300.0, 1650.0);
    // Older ones cost the same everywhere: 1000 x 3, 100 x 15.
    let old = "us.anthropic.claude-3-5-sonnet-20241022-v2:0";
    million(
        "",
        &format!("bedrock/{old}"),
        tokens(1000, 100),
        3000.0,
        1500.0,
    );
    // Nova has a price of its own in Europe: 1000 x 1.05, 100 x 4.20.
    million(
        "bedrock",
        "eu.amazon.nova-pro-v1:0",
        tokens(1000, 100),
        1050.0,
        420.0,
    );
}

#[test]
fn gemini_audio_cache_and_length() {
    // 1000 in: 300 cached x 0.03 + 200 audio x 1 + 500 text x 0.30 = 359. Out with thoughts: 900 x 2.50.
    let usage = Usage {
        cache_read: Some(300),
        input_audio: Some(200),
        reasoning: Some(700),
        ..tokens(1000, 900)
    };
    million("gemini", "gemini-2.5-flash", usage, 359.0, 2250.0);
    // Above 200,000: 300,000 x 2.50 = 750,000; 10 x 15 = 150.
    million(
        "vertex_ai",
        "gemini-2.5-pro",
        tokens(300_000, 10),
        750_000.0,
        150.0,
    );
    // Images made: 1290 tokens x 30 = 38,700; 10 x 0.30 = 3.
    let usage = Usage {
        output_image: Some(1290),
        ..tokens(10, 1290)
    };
    million("gemini", "gemini-2.5-flash-image", usage, 3.0, 38_700.0);
}

#[test]
fn the_others() {
    // DeepSeek: 400 x 0.28 + 600 cached x 0.028 = 128.8; 100 x 0.42 = 42.
    let usage = Usage {
        cache_read: Some(600),
        ..tokens(1000, 100)
    };
    million("deepseek", "deepseek-chat", usage, 128.8, 42.0);
    // xAI, above 128,000: 130,000 x 6 = 780,000; 100 x 30 = 3000.
    million(
        "xai",
        "grok-4-0709",
        tokens(130_000, 100),
        780_000.0,
        3000.0,
    );
    // Mistral: 1000 x 2, 100 x 6; the latest is another model: 1000 x 0.50, 100 x 1.50.
    million(
        "mistral",
        "mistral-large-2411",
        tokens(1000, 100),
        2000.0,
        600.0,
    );
    million(
        "mistral",
        "mistral-large-latest",
        tokens(1000, 100),
        500.0,
        150.0,
    );
    // Groq: 1000 x 0.59, 100 x 0.79; a model with a vendor in its name: 1000 x 0.15, 100 x 0.60.
    million(
        "groq",
        "llama-3.3-70b-versatile",
        tokens(1000, 100),
        590.0,
        79.0,
    );
    million(
        "groq",
        "openai/gpt-oss-120b",
        tokens(1000, 100),
        150.0,
        60.0,
    );
    // Cohere: 1000 x 2.50, 100 x 10; a reranking is $0.002 and no tokens.
    million(
        "cohere_chat",
        "command-a-03-2025",
        tokens(1000, 100),
        2500.0,
        1000.0,
    );
    million("cohere", "rerank-v3.5", Usage::default(), 2000.0, 0.0);
    // Embeddings: 1000 x 0.02, 1000 x 0.02, 1000 x 0.18.
    million(
        "openai",
        "text-embedding-3-small",
        tokens(1000, 0),
        20.0,
        0.0,
    );
    million(
        "bedrock",
        "amazon.titan-embed-text-v2:0",
        tokens(1000, 0),
        20.0,
        0.0,
    );
    million("voyage", "voyage-3-large", tokens(1000, 0), 180.0, 0.0);
    // OpenAI's tuned models: 1000 x 0.30, 100 x 1.20.
    million(
        "openai",
        "ft:gpt-4o-mini-2024-07-18:org::x",
        tokens(1000, 100),
        300.0,
        120.0,
    );
}

#[test]
fn images_and_requests_by_the_piece() {
    let imagen = price("vertex_ai", "imagen-4.0-generate-001").unwrap();
    let made = |images| Amount {
        images,
        requests: 1,
        ..Amount::default()
    };
    assert_eq!(imagen.of(&made(3)), Some((0.0, 0.12)));
    // No image seen and no price by the token: what it cost is not known.
    assert_eq!(imagen.of(&made(0)), None);
    assert_eq!(
        imagen.of(&Amount {
            usage: tokens(10, 10),
            ..made(0)
        }),
        None
    );
    let rerank = price("cohere", "rerank-v3.5").unwrap();
    assert_eq!(
        rerank.of(&Amount {
            requests: 2,
            ..made(0)
        }),
        Some((0.004, 0.0))
    );
    assert_eq!(rerank.of(&Amount::default()), None);
}
