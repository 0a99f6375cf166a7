use std::time::Duration;

use wasmtime::component::Component;

use super::*;
use crate::engine::CodeCache;
use crate::meter::CpuExceeded;

/// Guests of a few instructions, each hostile in its way.
const SPIN: &str = r#"(component
    (core module $m (func (export "run") (result i32) (loop (br 0)) (unreachable)))
    (core instance $i (instantiate $m))
    (func (export "run") (result u32) (canon lift (core func $i "run"))))"#;
const SPIN_AT_START: &str = r#"(component
    (core module $m
        (func $spin (loop (br 0)))
        (start $spin)
        (func (export "run") (result i32) (unreachable)))
    (core instance $i (instantiate $m))
    (func (export "run") (result u32) (canon lift (core func $i "run"))))"#;
/// Grows by 1 MiB until that fails, and answers how often it went well.
const GROW: &str = r#"(component
    (core module $m
        (memory 1)
        (func (export "run") (result i32) (local $grown i32)
            (block (loop
                (br_if 1 (i32.eq (memory.grow (i32.const 16)) (i32.const -1)))
                (local.set $grown (i32.add (local.get $grown) (i32.const 1)))
                (br 0)))
            (local.get $grown)))
    (core instance $i (instantiate $m))
    (func (export "run") (result u32) (canon lift (core func $i "run"))))"#;

fn engine(limits: Limits) -> Engine {
    Engine::new(limits, CodeCache::Off).unwrap()
}

async fn run(engine: &Engine, wat: &str) -> wasmtime::Result<u32> {
    let component = Component::new(engine.wasmtime(), wat::parse_str(wat).unwrap())?;
    let pre = linker(engine.wasmtime())?.instantiate_pre(&component)?;
    let (mut store, meter) = store(engine);
    let call = async {
        let instance = pre.instantiate_async(&mut store).await?;
        let run = instance.get_typed_func::<(), (u32,)>(&mut store, "run")?;
        run.call_async(&mut store, ()).await
    };
    Ok(meter.run(call).await?.0)
}

#[tokio::test]
async fn an_endless_loop_is_ended_wherever_it_stands() {
    let cpu_per_call = Duration::from_millis(50);
    let engine = engine(Limits {
        cpu_per_call,
        ..Limits::default()
    });
    for guest in [SPIN, SPIN_AT_START] {
        let error = run(&engine, guest).await.unwrap_err();
        let exceeded = error.downcast_ref::<CpuExceeded>();
        assert_eq!(exceeded, Some(&CpuExceeded(cpu_per_call)), "{error:?}");
    }
}

#[tokio::test]
async fn an_endless_loop_lets_others_run() {
    let cpu_per_call = Duration::from_millis(200);
    let engine = engine(Limits {
        cpu_per_call,
        ..Limits::default()
    });
    let mut turns = 0;
    let others = async {
        loop {
            turns += 1;
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        ended = run(&engine, SPIN) => assert!(ended.is_err()),
        () = others => {}
    }
    assert!(turns > 3, "{turns}");
}

#[tokio::test]
async fn memory_grows_to_its_limit_and_no_further() {
    let memory_bytes = 8 << 20;
    let engine = engine(Limits {
        memory_bytes,
        ..Limits::default()
    });
    // One page is there from the start.
    assert_eq!(run(&engine, GROW).await.unwrap(), 7);
}

#[tokio::test]
async fn more_instances_than_the_pool_has_are_an_error() {
    let engine = engine(Limits {
        instances: 1,
        ..Limits::default()
    });
    let component = Component::new(engine.wasmtime(), wat::parse_str(GROW).unwrap()).unwrap();
    let pre = linker(engine.wasmtime())
        .unwrap()
        .instantiate_pre(&component)
        .unwrap();
    let (mut first, mut second) = (store(&engine).0, store(&engine).0);
    let held = pre.instantiate_async(&mut first).await.unwrap();
    assert!(pre.instantiate_async(&mut second).await.is_err());
    let _ = held;
    drop(first);
    pre.instantiate_async(&mut second).await.unwrap();
}

#[test]
fn nothing_but_io_clocks_random_and_http_is_linked() {
    let engine = engine(Limits::default());
    for (import, function) in [
        ("wasi:cli/environment@0.2.2", "get-arguments"),
        ("wasi:cli/stdout@0.2.2", "get-stdout"),
        ("wasi:filesystem/preopens@0.2.2", "get-directories"),
        ("wasi:sockets/instance-network@0.2.2", "instance-network"),
    ] {
        let wat = format!(
            r#"(component (import "{import}" (instance (export "{function}" (func (result u32))))))"#
        );
        let component = Component::new(engine.wasmtime(), wat::parse_str(&wat).unwrap()).unwrap();
        let linked = linker(engine.wasmtime())
            .unwrap()
            .instantiate_pre(&component);
        let Err(error) = linked else {
            panic!("{import} is linked");
        };
        let error = format!("{error:#}");
        // Not for its type: because it is not there at all.
        assert!(
            error.contains("was not found in the linker"),
            "{import}: {error}"
        );
    }
}
