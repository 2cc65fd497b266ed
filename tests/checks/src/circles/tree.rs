//! The modules of a crate and the files they are in.

use std::path::{Path, PathBuf};

use syn::{Item, ItemMod};

use super::{
    cfg::only_in_tests,
    collect::{Collector, Used, attributes},
    names::{Binding, Names, defined},
    source::{Error, children_of, file_of, parse},
};

/// The module that a crate starts with.
pub(crate) const ROOT: usize = 0;

/// A module, inline or a file of its own.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) file: usize,
    pub(crate) parent: Option<usize>,
    pub(crate) names: Names,
    pub(crate) used: Vec<Used>,
}

/// All modules of a crate but those of its tests.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) modules: Vec<Module>,
}

impl Tree {
    /// # Errors
    /// When the root, or the file of a module that is declared, is missing, unreadable or not Rust.
    pub(crate) fn load(root: &Path) -> Result<Self, Error> {
        let mut tree = Self::default();
        tree.add_file(root.into(), None)?;
        Ok(tree)
    }

    /// The module of a file; none where all of the file is for tests.
    fn add_file(&mut self, path: PathBuf, parent: Option<usize>) -> Result<Option<usize>, Error> {
        let content = parse(&path)?;
        if only_in_tests(&content.attrs) {
            return Ok(None);
        }
        let folder = children_of(&path, parent.is_none());
        self.files.push(path);
        let file = self.files.len() - 1;
        self.add_module(&content.items, file, parent, &folder).map(Some)
    }

    fn add_module(
        &mut self,
        items: &[Item],
        file: usize,
        parent: Option<usize>,
        folder: &Path,
    ) -> Result<usize, Error> {
        let this = self.modules.len();
        self.modules.push(Module {
            file,
            parent,
            names: Names::default(),
            used: Vec::new(),
        });
        let mut collector = Collector::default();
        for item in items.iter().filter(|item| !only_in_tests(attributes(item))) {
            if let Item::Mod(child) = item {
                if let Some(module) = self.add_child(child, this, folder)? {
                    collector.names.add(child.ident.to_string(), Binding::Module(module));
                }
                continue;
            }
            if let Some(name) = defined(item) {
                collector.names.add(name.to_string(), Binding::Item(file));
                if attributes(item).iter().any(|it| it.path().is_ident("macro_export")) {
                    self.modules[ROOT].names.add(name.to_string(), Binding::Item(file));
                }
            }
            collector.collect(item);
        }
        let Collector { names, used, .. } = collector;
        let module = &mut self.modules[this];
        module.names.extend(names);
        module.used = used;
        Ok(this)
    }

    /// What `mod x;` or `mod x { … }` declares.
    fn add_child(&mut self, child: &ItemMod, parent: usize, folder: &Path) -> Result<Option<usize>, Error> {
        let name = child.ident.to_string();
        match &child.content {
            Some((_, items)) => {
                let file = self.modules[parent].file;
                self.add_module(items, file, Some(parent), &folder.join(name)).map(Some)
            }
            None => {
                let declaring = &self.files[self.modules[parent].file];
                self.add_file(file_of(&name, &child.attrs, declaring, folder), Some(parent))
            }
        }
    }
}
