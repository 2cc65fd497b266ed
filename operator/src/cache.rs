//! (pure) The objects of one kind that a watch has brought, kept as JSON.
//!
//! As a value of its type an object takes five to ten times the bytes of its JSON, above all for maps of a few labels,
//! and a cache holds ten objects for each Indexer. A pass needs those of one Indexer, so they are read when it asks.

use std::{borrow::Cow, collections::HashSet, marker::PhantomData};

use kube::{
    Resource, ResourceExt,
    runtime::{
        reflector::{self, Store, store::WriterDropped},
        watcher::Event,
    },
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{names, objects::Key};

/// A kind of object that can be kept so: a namespaced one of the API.
pub trait Kind: Resource<DynamicType = ()> + Clone + Serialize + DeserializeOwned + 'static {}

impl<K: Resource<DynamicType = ()> + Clone + Serialize + DeserializeOwned + 'static> Kind for K {}

/// Reads what a [`Writer`] has written. Clones share it.
#[derive(Clone)]
pub struct Cache<K: Kind>(Store<Packed<K>>);

/// Fills a [`Cache`] with what a watch says.
pub struct Writer<K: Kind> {
    store: reflector::store::Writer<Packed<K>>,
    mark: fn(&K) -> bool,
}

/// An object as it is kept.
#[derive(Clone)]
struct Packed<K> {
    name: Box<str>,
    namespace: Box<str>,
    /// The Indexer that its label names.
    indexer: Option<Box<str>>,
    is_marked: bool,
    json: Box<[u8]>,
    kind: PhantomData<fn() -> K>,
}

/// An empty cache. Those for which `mark` holds are found without reading them.
#[must_use]
pub fn cache<K: Kind>(mark: fn(&K) -> bool) -> (Cache<K>, Writer<K>) {
    let store = reflector::store::Writer::new(());
    (Cache(store.as_reader()), Writer { store, mark })
}

impl<K: Kind> Writer<K> {
    /// Writes what a watch says, and returns the object that it is about, if it is about one.
    pub fn write(&mut self, event: Event<K>) -> Option<K> {
        let pack = |object: &K| Packed::new(object, (self.mark)(object));
        let (packed, object) = match event {
            Event::Apply(object) => (Event::Apply(pack(&object)), Some(object)),
            Event::Delete(object) => (Event::Delete(pack(&object)), Some(object)),
            Event::InitApply(object) => (Event::InitApply(pack(&object)), Some(object)),
            Event::Init => (Event::Init, None),
            Event::InitDone => (Event::InitDone, None),
        };
        self.store.apply_watcher_event(&packed);
        object
    }
}

impl<K: Kind> Cache<K> {
    /// The objects that carry the label of an Indexer, in its namespace.
    #[must_use]
    pub fn of(&self, key: &Key) -> Vec<K> {
        let found = self.0.state_filter(|packed| packed.is_of(key));
        found.iter().filter_map(|packed| packed.unpacked()).collect()
    }

    /// The Indexers that marked objects carry the label of.
    #[must_use]
    pub fn marked(&self) -> HashSet<Key> {
        let marked = self.0.state_filter(|packed| packed.is_marked);
        marked.iter().filter_map(|packed| packed.key()).collect()
    }

    /// Waits until it has been filled once. For one task alone: see [`Listed`](crate::observe::Listed).
    ///
    /// # Errors
    /// If the watch has ended, which happens at shutdown only.
    pub async fn wait_until_ready(&self) -> Result<(), WriterDropped> {
        self.0.wait_until_ready().await
    }
}

impl<K: Kind> Packed<K> {
    fn new(object: &K, is_marked: bool) -> Self {
        let indexer = object.labels().get(names::LABEL_INDEXER);
        Self {
            name: object.name_any().into(),
            namespace: object.namespace().unwrap_or_default().into(),
            indexer: indexer.map(|name| name.as_str().into()),
            is_marked,
            // Types of the API turn into JSON without exception; one that did not would be recreated, not lost.
            json: serde_json::to_vec(object).unwrap_or_default().into(),
            kind: PhantomData,
        }
    }

    fn unpacked(&self) -> Option<K> {
        serde_json::from_slice(&self.json).ok()
    }

    fn is_of(&self, key: &Key) -> bool {
        *self.namespace == *key.namespace && self.indexer.as_deref() == Some(key.name.as_str())
    }

    fn key(&self) -> Option<Key> {
        Some(Key {
            namespace: self.namespace.as_ref().into(),
            name: self.indexer.as_deref()?.into(),
        })
    }
}

/// What a store asks of an object.
impl<K: Kind> reflector::Lookup for Packed<K> {
    type DynamicType = ();

    fn kind((): &()) -> Cow<'_, str> {
        K::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        K::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        K::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        K::plural(&())
    }

    fn name(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(&self.name))
    }

    fn namespace(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(&self.namespace))
    }

    fn resource_version(&self) -> Option<Cow<'_, str>> {
        None
    }

    fn uid(&self) -> Option<Cow<'_, str>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use serde_json::json;

    use super::*;
    use crate::fixtures::key;

    fn map(name: &str, indexer: Option<&str>, text: &str) -> ConfigMap {
        let labels = indexer.map(|indexer| json!({names::LABEL_INDEXER: indexer}));
        let map = json!({"metadata": {"name": name, "namespace": "ns", "labels": labels}, "data": {"text": text}});
        serde_json::from_value(map).unwrap()
    }

    fn is_marked(map: &ConfigMap) -> bool {
        map.data.as_ref().is_some_and(|data| data["text"] == "marked")
    }

    #[test]
    fn objects_come_back_as_they_were_and_only_those_of_the_indexer() {
        let (cache, mut writer) = cache::<ConfigMap>(|_| false);
        let (mine, theirs, nobodys) = (
            map("a", Some("one"), "x"),
            map("b", Some("two"), "x"),
            map("c", None, "x"),
        );
        assert_eq!(writer.write(Event::Init), None);
        for object in [&mine, &theirs, &nobodys] {
            assert_eq!(writer.write(Event::InitApply(object.clone())).as_ref(), Some(object));
        }
        assert!(cache.of(&key()).is_empty(), "a list counts once it is whole");
        assert_eq!(writer.write(Event::InitDone), None);
        assert_eq!(cache.of(&key()), std::slice::from_ref(&mine));
        let changed = map("a", Some("one"), "y");
        writer.write(Event::Apply(changed.clone()));
        assert_eq!(cache.of(&key()), std::slice::from_ref(&changed));
        writer.write(Event::Delete(changed));
        assert!(cache.of(&key()).is_empty());
    }

    #[test]
    fn marked_objects_name_their_indexers() {
        let (cache, mut writer) = cache::<ConfigMap>(is_marked);
        for object in [
            map("a", Some("one"), "marked"),
            map("b", Some("two"), "x"),
            map("c", None, "marked"),
        ] {
            writer.write(Event::Apply(object));
        }
        assert_eq!(cache.marked(), HashSet::from([key()]));
        writer.write(Event::Apply(map("a", Some("one"), "no longer")));
        assert!(cache.marked().is_empty());
    }
}
