//! The reference of the hooks, from the WIT package.

use std::fmt::Write;

use anyhow::Result;
use wit_parser::{
    Docs, Function, FunctionKind, Handle, Interface, Resolve, Type, TypeDef, TypeDefKind, TypeId,
    WorldItem,
};

use crate::wit::Package;

const HEAD: &str = "\
The hooks between a host and a plugin, as [`wit/`](../wit/logger.wit) has them. [Write your own plugin](write-your-own-plugin.md)
shows them at work. Each version that is out is kept in [`wit/frozen`](../wit/frozen) and never changes; plugins built for it go on
loading in hosts of the same minor version.

Made from the WIT package by `cargo xtask generate`.
";

/// The whole document.
pub fn document() -> Result<String> {
    let package = Package::current()?;
    let resolve = &package.resolve;
    let held = &resolve.packages[package.id];
    let mut text = format!("# {}\n\n{HEAD}", held.name);
    for (name, world) in &held.worlds {
        let world = &resolve.worlds[*world];
        write!(text, "\n## world `{name}`\n\n")?;
        docs(&mut text, &world.docs, "")?;
        text.push('\n');
        for (kind, items) in [("imports", &world.imports), ("exports", &world.exports)] {
            for (key, item) in items {
                if let WorldItem::Interface { .. } = item {
                    writeln!(text, "- {kind} `{}`", resolve.name_world_key(key))?;
                }
            }
        }
    }
    // What is called first, then what it is called with.
    for name in ["logger", "types"] {
        interface(
            &mut text,
            resolve,
            &resolve.interfaces[held.interfaces[name]],
        )?;
    }
    Ok(text)
}

fn interface(text: &mut String, resolve: &Resolve, interface: &Interface) -> Result<()> {
    let name = interface.name.as_deref().unwrap_or_default();
    write!(text, "\n## interface `{name}`\n\n")?;
    docs(text, &interface.docs, "")?;
    let free = |function: &&Function| matches!(function.kind, FunctionKind::Freestanding);
    for function in interface.functions.values().filter(free) {
        self::function(text, resolve, "###", function)?;
    }
    for (name, id) in &interface.types {
        self::ty(text, resolve, name, &resolve.types[*id])?;
        let own = interface.functions.values();
        for function in own.filter(|function| resource(function) == Some(*id)) {
            self::function(text, resolve, "####", function)?;
        }
    }
    Ok(())
}

/// The resource that a function belongs to.
fn resource(function: &Function) -> Option<TypeId> {
    match function.kind {
        FunctionKind::Method(id) | FunctionKind::Static(id) | FunctionKind::Constructor(id) => {
            Some(id)
        }
        _ => None,
    }
}

fn function(text: &mut String, resolve: &Resolve, level: &str, function: &Function) -> Result<()> {
    let is_method = matches!(function.kind, FunctionKind::Method(_));
    let parameters = function.params.iter().skip(usize::from(is_method));
    let parameters =
        parameters.map(|param| format!("{}: {}", param.name, named(resolve, &param.ty)));
    let parameters = parameters.collect::<Vec<_>>().join(", ");
    let result = function
        .result
        .as_ref()
        .map(|ty| format!(" -> {}", named(resolve, ty)));
    let name = function.item_name();
    write!(
        text,
        "\n{level} `{name}: func({parameters}){}`\n\n",
        result.unwrap_or_default()
    )?;
    docs(text, &function.docs, "")
}

fn ty(text: &mut String, resolve: &Resolve, name: &str, ty: &TypeDef) -> Result<()> {
    let kind = match &ty.kind {
        // Named in another interface, where it is described.
        TypeDefKind::Type(Type::Id(_)) => return Ok(()),
        TypeDefKind::Type(alias) => format!("= {}", named(resolve, alias)),
        other => other.as_str().to_owned(),
    };
    write!(text, "\n### `{name}`: {kind}\n\n")?;
    docs(text, &ty.docs, "")?;
    if matches!(
        ty.kind,
        TypeDefKind::Record(_) | TypeDefKind::Variant(_) | TypeDefKind::Enum(_)
    ) {
        text.push('\n');
    }
    let mut member = |name: &str, ty: Option<&Type>, about: &Docs| -> Result<()> {
        let ty = ty.map(|ty| format!(": {}", named(resolve, ty)));
        writeln!(text, "- `{name}{}`", ty.unwrap_or_default())?;
        docs(text, about, "  ")
    };
    match &ty.kind {
        TypeDefKind::Record(record) => {
            for field in &record.fields {
                member(&field.name, Some(&field.ty), &field.docs)?;
            }
        }
        TypeDefKind::Variant(variant) => {
            for case in &variant.cases {
                member(&case.name, case.ty.as_ref(), &case.docs)?;
            }
        }
        TypeDefKind::Enum(listed) => {
            for case in &listed.cases {
                member(&case.name, None, &case.docs)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn docs(text: &mut String, docs: &Docs, indent: &str) -> Result<()> {
    for line in docs.contents.iter().flat_map(|docs| docs.lines()) {
        writeln!(text, "{}", format!("{indent}{line}").trim_end())?;
    }
    Ok(())
}

/// A type as WIT writes it.
fn named(resolve: &Resolve, ty: &Type) -> String {
    let Type::Id(id) = ty else {
        return primitive(ty).to_owned();
    };
    let ty = &resolve.types[*id];
    if let Some(name) = &ty.name {
        return name.clone();
    }
    let inner = |ty: &Option<Type>| ty.as_ref().map_or("_".to_owned(), |ty| named(resolve, ty));
    match &ty.kind {
        TypeDefKind::Option(of) => format!("option<{}>", named(resolve, of)),
        TypeDefKind::List(of) => format!("list<{}>", named(resolve, of)),
        TypeDefKind::Result(result) => match (&result.ok, &result.err) {
            (ok, None) => format!("result<{}>", inner(ok)),
            (ok, err) => format!("result<{}, {}>", inner(ok), inner(err)),
        },
        TypeDefKind::Handle(Handle::Own(id)) => named(resolve, &Type::Id(*id)),
        TypeDefKind::Handle(Handle::Borrow(id)) => {
            format!("borrow<{}>", named(resolve, &Type::Id(*id)))
        }
        other => other.as_str().to_owned(),
    }
}

fn primitive(ty: &Type) -> &'static str {
    match ty {
        Type::Bool => "bool",
        Type::U8 => "u8",
        Type::U16 => "u16",
        Type::U32 => "u32",
        Type::U64 => "u64",
        Type::S8 => "s8",
        Type::S16 => "s16",
        Type::S32 => "s32",
        Type::S64 => "s64",
        Type::F32 => "f32",
        Type::F64 => "f64",
        Type::Char => "char",
        Type::String => "string",
        Type::ErrorContext => "error-context",
        Type::Id(_) => "type",
    }
}
