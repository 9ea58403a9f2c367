//! The load order: what others refer to comes first, as far as that is possible, and otherwise as the profile lists it.

use std::collections::{HashMap, HashSet};

use super::derive::TableContext;
use super::model::CollectionMapping;

/// Sorts collections. In a cycle the one that the profile lists first, or whose name comes first, goes first.
pub(super) fn sort(collections: &mut Vec<CollectionMapping>, tables: &[TableContext<'_>], wish: &[String]) {
    let ranks: HashMap<&str, usize> = wish.iter().enumerate().map(|(rank, name)| (name.as_str(), rank)).collect();
    collections
        .sort_by_cached_key(|collection| (ranks.get(collection.name.as_str()).copied().unwrap_or(usize::MAX), collection.name.clone()));
    let needs = needs(collections, tables);
    let mut placed: HashSet<String> = HashSet::new();
    let mut rest = std::mem::take(collections);
    while !rest.is_empty() {
        let ready = rest.iter().position(|collection| needs[&collection.table].is_subset(&placed));
        let next = rest.remove(ready.unwrap_or_default());
        placed.insert(next.table.clone());
        collections.push(next);
    }
}

/// For each table the other tables that it refers to.
fn needs(collections: &[CollectionMapping], tables: &[TableContext<'_>]) -> HashMap<String, HashSet<String>> {
    // A merged table comes with the table that it is merged into.
    let holder: HashMap<&str, &str> = tables
        .iter()
        .flat_map(|context| {
            let own = context.table.name.as_str();
            [Some(own), context.merge.map(|(merged, _)| merged.name.as_str())].into_iter().flatten().map(move |name| (name, own))
        })
        .collect();
    let of_collection: HashMap<&str, &str> =
        collections.iter().map(|collection| (collection.name.as_str(), collection.table.as_str())).collect();
    let mut needs: HashMap<String, HashSet<String>> = HashMap::new();
    for context in tables {
        let own = context.table.name.as_str();
        let keys = context.table.schema.foreign_keys.iter();
        let referred = keys.filter_map(|key| holder.get(key.reference.resource.as_str()));
        needs.insert(own.to_owned(), referred.filter(|&&other| other != own).map(|&other| other.to_owned()).collect());
    }
    for collection in collections {
        for relation in &collection.relations {
            let target = of_collection.get(relation.collection.as_str());
            if let (Some(needs), Some(&target)) = (needs.get_mut(&collection.table), target)
                && target != collection.table
            {
                needs.insert(target.to_owned());
            }
        }
    }
    needs
}
