//! What a path means: the files that define it, however many imports and re-exports lie between.

use std::collections::HashSet;

use super::{
    names::{Binding, Segments},
    tree::{ROOT, Tree},
};

/// The files that define what a path in this module means; none where that is another crate, a module or a variable.
pub(crate) fn files_of(tree: &Tree, module: usize, path: &[String], is_macro: bool) -> Vec<usize> {
    let mut resolver = Resolver {
        tree,
        under_way: HashSet::new(),
    };
    let mut files = resolver.resolve(module, path).files;
    if is_macro && path.len() == 1 {
        let mut around = tree.modules[module].parent;
        while let (true, Some(module)) = (files.is_empty(), around) {
            files = resolver.resolve(module, path).files;
            around = tree.modules[module].parent;
        }
    }
    files
}

/// What a path means: items, by their files, and modules.
#[derive(Debug, Default)]
struct Meaning {
    files: Vec<usize>,
    modules: Vec<usize>,
}

impl Meaning {
    fn is_empty(&self) -> bool {
        self.files.is_empty() && self.modules.is_empty()
    }

    fn extend(&mut self, other: Self) {
        self.files.extend(other.files);
        self.modules.extend(other.modules);
    }
}

struct Resolver<'tree> {
    tree: &'tree Tree,
    /// Paths that are being followed: imports may lead in a circle, and a name may import its like.
    under_way: HashSet<(usize, Segments)>,
}

impl Resolver<'_> {
    /// A path as it is written in a module.
    fn resolve(&mut self, mut module: usize, mut path: &[String]) -> Meaning {
        let mut of_this_crate = false;
        while let Some((first, rest)) = path.split_first() {
            module = match (first.as_str(), self.tree.modules[module].parent) {
                ("crate", _) => ROOT,
                ("self", _) => module,
                ("super", Some(parent)) => parent,
                ("super", None) => return Meaning::default(),
                _ => break,
            };
            of_this_crate = true;
            path = rest;
        }
        match self.walk(module, path) {
            Some(meaning) => meaning,
            None if of_this_crate => self.made_by_a_macro(module),
            None => Meaning::default(),
        }
    }

    /// A path among the names of a module; None where the module has no such name.
    fn walk(&mut self, module: usize, path: &[String]) -> Option<Meaning> {
        let key = (module, path.to_vec());
        if !self.under_way.insert(key.clone()) {
            return Some(Meaning::default());
        }
        let meaning = match path.split_first() {
            Some((name, rest)) => self.step(module, name, rest, path),
            None => Some(Meaning {
                files: Vec::new(),
                modules: vec![module],
            }),
        };
        self.under_way.remove(&key);
        meaning
    }

    fn step(&mut self, module: usize, name: &str, rest: &[String], path: &[String]) -> Option<Meaning> {
        let tree = self.tree;
        let names = &tree.modules[module].names;
        let mut head = Meaning::default();
        for binding in names.get(name) {
            match binding {
                Binding::Item(file) => head.files.push(*file),
                Binding::Module(child) => head.modules.push(*child),
                Binding::Import(path) => head.extend(self.resolve(module, path)),
            }
        }
        if names.get(name).is_empty() {
            return self.through_globs(module, path);
        }
        // What follows a type is one of its variants or functions.
        if rest.is_empty() || head.modules.is_empty() {
            return Some(head);
        }
        let mut meaning = Meaning::default();
        for child in head.modules {
            let found = self.walk(child, rest);
            meaning.extend(found.unwrap_or_else(|| self.made_by_a_macro(child)));
        }
        Some(meaning)
    }

    fn through_globs(&mut self, module: usize, path: &[String]) -> Option<Meaning> {
        let tree = self.tree;
        for glob in &tree.modules[module].names.globs {
            for target in self.resolve(module, glob).modules {
                if let Some(meaning) = self.walk(target, path).filter(|it| !it.is_empty()) {
                    return Some(meaning);
                }
            }
        }
        None
    }

    /// A name of this crate that no source has: a derive macro makes it, where its module is.
    fn made_by_a_macro(&self, module: usize) -> Meaning {
        Meaning {
            files: vec![self.tree.modules[module].file],
            modules: Vec::new(),
        }
    }
}
