//! What `bindgen!` makes of `wit/`: the hooks as typed functions, their documentation included.
//!
//! Arguments borrow (`Event<'a>` holds `&'a str`), so that a payload is copied once, into the
//! guest. The world here is the export alone; what a plugin may import is settled in `state.rs`.

#![allow(missing_docs)]

wasmtime::component::bindgen!({
    path: "../wit",
    inline: "
        package llm-gateway:host;
        world plugin {
            export llm-gateway:hooks/logger@0.1.0;
        }
    ",
    world: "llm-gateway:host/plugin",
    exports: { default: async },
    ownership: Borrowing { duplicate_if_necessary: true },
});
