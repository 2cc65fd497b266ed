//! What the code of a module uses: every path in it, in attributes and in what is given to macros, too.

use std::collections::HashSet;

use proc_macro2::Span;
use syn::{
    Attribute, ImplItem, Item, Meta, TraitItem,
    visit::{self, Visit},
};

use super::{
    cfg::only_in_tests,
    names::{Names, Segments, imported, passes_on},
    tokens::{Written, written},
};

/// A path, and where it is written.
#[derive(Debug)]
pub(crate) struct Used {
    pub(crate) path: Segments,
    pub(crate) line: usize,
    /// A macro's name is also found in the modules around.
    pub(crate) is_macro: bool,
}

/// Collects from the items of one module.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    pub(crate) names: Names,
    pub(crate) used: Vec<Used>,
    /// What the functions around bind: a variable is not the function that is called like it.
    bound: Vec<HashSet<String>>,
}

impl Collector {
    pub(crate) fn collect(&mut self, item: &Item) {
        self.visit_item(item);
    }

    fn add(&mut self, path: Segments, span: Span, is_macro: bool) {
        if !(path.len() == 1 && !is_macro && self.is_bound(&path[0])) {
            let line = span.start().line;
            self.used.push(Used { path, line, is_macro });
        }
    }

    fn add_path(&mut self, path: &syn::Path, is_macro: bool) {
        // One that starts with `::` is of another crate.
        if let (false, Some(first)) = (path.leading_colon.is_some(), path.segments.first()) {
            let segments = path.segments.iter().map(|it| it.ident.to_string()).collect();
            self.add(segments, first.ident.span(), is_macro);
        }
    }

    fn is_bound(&self, name: &str) -> bool {
        self.bound.iter().any(|names| names.contains(name))
    }

    fn add_tokens(&mut self, tokens: proc_macro2::TokenStream, with_texts: bool) {
        for Written { path, span, is_macro } in written(tokens, with_texts) {
            self.add(path, span, is_macro);
        }
    }

    /// Visits a function, knowing what it binds.
    fn within(&mut self, bound: HashSet<String>, visit: impl FnOnce(&mut Self)) {
        self.bound.push(bound);
        visit(self);
        self.bound.pop();
    }
}

impl<'ast> Visit<'ast> for Collector {
    fn visit_item(&mut self, item: &'ast Item) {
        if !only_in_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Const(it) => &it.attrs,
            ImplItem::Fn(it) => &it.attrs,
            ImplItem::Type(it) => &it.attrs,
            ImplItem::Macro(it) => &it.attrs,
            _ => return,
        };
        if !only_in_tests(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        let attributes = match item {
            TraitItem::Const(it) => &it.attrs,
            TraitItem::Fn(it) => &it.attrs,
            TraitItem::Type(it) => &it.attrs,
            TraitItem::Macro(it) => &it.attrs,
            _ => return,
        };
        if !only_in_tests(attributes) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        let bound = Bound::of(|it| it.visit_item_fn(function));
        self.within(bound, |it| visit::visit_item_fn(it, function));
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        let bound = Bound::of(|it| it.visit_impl_item_fn(function));
        self.within(bound, |it| visit::visit_impl_item_fn(it, function));
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        let bound = Bound::of(|it| it.visit_trait_item_fn(function));
        self.within(bound, |it| visit::visit_trait_item_fn(it, function));
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        if !only_in_tests(&local.attrs) {
            visit::visit_local(self, local);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        for it in imported(item) {
            self.names.import(&it);
            if it.name.is_some() && !passes_on(&item.vis) {
                self.used.push(Used {
                    path: it.path,
                    line: it.line,
                    is_macro: false,
                });
            }
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.add_path(path, false);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        self.add_path(&called.path, true);
        self.add_tokens(called.tokens.clone(), false);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        match &attribute.meta {
            Meta::List(list) => self.add_tokens(list.tokens.clone(), true),
            Meta::NameValue(pair) if !pair.path.is_ident("doc") => self.visit_expr(&pair.value),
            _ => {}
        }
    }

    /// `pub(in crate::x)` uses nothing.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}
}

/// The variables that a function binds anywhere in it.
struct Bound(HashSet<String>);

impl Bound {
    fn of(visit: impl FnOnce(&mut Self)) -> HashSet<String> {
        let mut bound = Self(HashSet::new());
        visit(&mut bound);
        bound.0
    }
}

impl<'ast> Visit<'ast> for Bound {
    fn visit_pat_ident(&mut self, pattern: &'ast syn::PatIdent) {
        let name = pattern.ident.to_string();
        // Anything else is a constant or a variant that is compared with.
        if name.starts_with(|first: char| first.is_lowercase() || first == '_') {
            self.0.insert(name);
        }
        visit::visit_pat_ident(self, pattern);
    }
}

/// The attributes of an item.
pub(crate) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(it) => &it.attrs,
        Item::Enum(it) => &it.attrs,
        Item::ExternCrate(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::ForeignMod(it) => &it.attrs,
        Item::Impl(it) => &it.attrs,
        Item::Macro(it) => &it.attrs,
        Item::Mod(it) => &it.attrs,
        Item::Static(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        Item::Trait(it) => &it.attrs,
        Item::TraitAlias(it) => &it.attrs,
        Item::Type(it) => &it.attrs,
        Item::Union(it) => &it.attrs,
        Item::Use(it) => &it.attrs,
        _ => &[],
    }
}
