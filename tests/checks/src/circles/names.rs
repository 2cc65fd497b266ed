//! The names that a module has: its items, its child modules, and what it imports.

use std::collections::HashMap;

use syn::{Item, UseTree, Visibility};

/// A path as it is written, `crate`, `self` and `super` included.
pub(crate) type Segments = Vec<String>;

/// What a name stands for.
#[derive(Clone, Debug)]
pub(crate) enum Binding {
    /// An item in the file with this number.
    Item(usize),
    /// The module with this number.
    Module(usize),
    /// What another path stands for.
    Import(Segments),
}

/// The names of one module.
#[derive(Debug, Default)]
pub(crate) struct Names {
    by_name: HashMap<String, Vec<Binding>>,
    /// Paths whose names are all imported.
    pub(crate) globs: Vec<Segments>,
}

impl Names {
    pub(crate) fn add(&mut self, name: impl Into<String>, binding: Binding) {
        self.by_name.entry(name.into()).or_default().push(binding);
    }

    /// All that a name stands for: a module and a function may share one.
    pub(crate) fn get(&self, name: &str) -> &[Binding] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn extend(&mut self, other: Self) {
        for (name, bindings) in other.by_name {
            self.by_name.entry(name).or_default().extend(bindings);
        }
        self.globs.extend(other.globs);
    }

    pub(crate) fn import(&mut self, imported: &Imported) {
        match &imported.name {
            Some(name) => self.add(name, Binding::Import(imported.path.clone())),
            None => self.globs.push(imported.path.clone()),
        }
    }
}

/// One name, or all names, that a `use` brings.
#[derive(Debug)]
pub(crate) struct Imported {
    pub(crate) path: Segments,
    /// None for `*`; `_` for a trait without a name.
    pub(crate) name: Option<String>,
    pub(crate) line: usize,
}

/// All that a `use` of this crate brings; nothing for a path that starts with `::`.
pub(crate) fn imported(item: &syn::ItemUse) -> Vec<Imported> {
    let mut all = Vec::new();
    if item.leading_colon.is_none() {
        flatten(&item.tree, &mut Vec::new(), &mut all);
    }
    all
}

fn flatten(tree: &UseTree, prefix: &mut Segments, all: &mut Vec<Imported>) {
    let mut push = |last: &syn::Ident, name: &syn::Ident| {
        let mut path = prefix.clone();
        // `a::{self}` imports `a`.
        if last != "self" || path.is_empty() {
            path.push(last.to_string());
        }
        let name = if name == "self" {
            path.last().cloned()
        } else {
            Some(name.to_string())
        };
        let line = last.span().start().line;
        all.push(Imported { path, name, line });
    };
    match tree {
        UseTree::Name(it) => push(&it.ident, &it.ident),
        UseTree::Rename(it) => push(&it.ident, &it.rename),
        UseTree::Glob(it) => all.push(Imported {
            path: prefix.clone(),
            name: None,
            line: it.star_token.spans[0].start().line,
        }),
        UseTree::Path(it) => {
            prefix.push(it.ident.to_string());
            flatten(&it.tree, prefix, all);
            prefix.pop();
        }
        UseTree::Group(it) => {
            for tree in &it.items {
                flatten(tree, prefix, all);
            }
        }
    }
}

/// Whether a `use` passes its names on to other modules.
pub(crate) fn passes_on(visibility: &Visibility) -> bool {
    !matches!(visibility, Visibility::Inherited)
}

/// The name that an item defines in its module, if any.
pub(crate) fn defined(item: &Item) -> Option<&syn::Ident> {
    match item {
        Item::Const(it) => Some(&it.ident),
        Item::Enum(it) => Some(&it.ident),
        Item::Fn(it) => Some(&it.sig.ident),
        Item::Macro(it) => it.ident.as_ref(),
        Item::Static(it) => Some(&it.ident),
        Item::Struct(it) => Some(&it.ident),
        Item::Trait(it) => Some(&it.ident),
        Item::TraitAlias(it) => Some(&it.ident),
        Item::Type(it) => Some(&it.ident),
        Item::Union(it) => Some(&it.ident),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::imported;

    #[test]
    fn takes_a_tree_of_imports_apart() {
        let item = syn::parse_str("use super::{self as up, a::{self, B as C, *}, d};").unwrap();
        let all: Vec<String> = imported(&item)
            .into_iter()
            .map(|it| format!("{} as {}", it.path.join("::"), it.name.unwrap_or("*".into())))
            .collect();
        assert_eq!(
            all,
            [
                "super as up",
                "super::a as a",
                "super::a::B as C",
                "super::a as *",
                "super::d as d"
            ]
        );
    }
}
