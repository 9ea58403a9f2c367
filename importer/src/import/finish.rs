//! What needs every record to be there: relations, then the times and password hashes that the Web API does not take and
//! the server's own SQL does.

use std::collections::HashMap;

use pannier_format::{Problem, Value};

use super::Import;
use super::accounts::ResetList;
use super::load::SLICE_ROWS;
use super::statement::Statement;
use crate::ImportError;
use crate::external_auth::{EXTERNAL_AUTHS, ExternalAuthRecord};
use crate::failures::Failure;
use crate::mapping::{
    CollectionMapping, ExternalAuth, FieldValue, IdSet, Record, RelationConverter, RelationMapping, RelationUpdate, Secret, compare_field,
};
use crate::pocketbase::{BatchMethod, BatchRequest, Client};

/// A relation on its way.
struct Related {
    id: String,
    key: String,
    update: RelationUpdate,
}

impl Import<'_> {
    /// Sets the relations of one collection.
    pub(super) async fn relate(&mut self, index: usize) -> Result<(), ImportError> {
        let prepared = self.prepared;
        let collection = &prepared.mapping.collections[index];
        self.monitor.advance(collection.rows);
        for relation in &collection.relations {
            let Some(target) = prepared.index_of(&relation.collection) else { continue };
            let ids = prepared.ids(target, |id| !self.failed_ids.contains(&(target, id.to_owned())))?;
            self.relation(index, collection, relation, target, &ids).await?;
        }
        Ok(())
    }

    async fn relation(
        &mut self,
        index: usize,
        collection: &CollectionMapping,
        relation: &RelationMapping,
        target: usize,
        ids: &IdSet,
    ) -> Result<(), ImportError> {
        let prepared = self.prepared;
        let converter = prepared.converter(index);
        let relations = RelationConverter::new(relation, &prepared.mapping.collections[target], &prepared.facts[target], ids);
        let mut reader = prepared.bundle.rows(prepared.table(collection)?)?;
        while let Some(batch) = reader.next_batch()? {
            let mut row: Vec<Value<'_>> = Vec::new();
            let mut slice = Vec::new();
            for at in 0..batch.rows() {
                batch.row(at, &mut row);
                let (id, key) = converter.record_id(&row, batch.first_row() + at as u64);
                let update = relations.convert(&row);
                for missing in &update.missing {
                    let object = format!("{} {key}", collection.table);
                    let detail = format!("{} names {missing:?}, which {} does not have", relation.field, relation.collection);
                    self.problems.push(Problem::new("relation-missing", object, detail));
                }
                if update.unreadable {
                    let detail = format!("{}: the column holds something that cannot be read as JSON; set to none", relation.field);
                    self.problems.push(Problem::new("relation-unreadable", format!("{} {key}", collection.table), detail));
                }
                if !self.failed_ids.contains(&(index, id.id.clone())) {
                    slice.push(Related { id: id.id, key, update });
                }
            }
            for slice in slice.chunks(SLICE_ROWS) {
                self.relate_slice(index, collection, relation, slice).await?;
            }
        }
        Ok(())
    }

    /// Sets those relations of a slice that are not set yet.
    async fn relate_slice(
        &mut self,
        index: usize,
        collection: &CollectionMapping,
        relation: &RelationMapping,
        slice: &[Related],
    ) -> Result<(), ImportError> {
        let there = self.relations_there(collection, relation, slice).await?;
        let mut wanted = Vec::new();
        for related in slice {
            let expected = related.update.expected();
            let value = FieldValue::Json(expected.as_str().into());
            if !there.get(&related.id).is_some_and(|actual| compare_field(&value, actual).is_same()) {
                let mut body = Vec::new();
                related.update.write_body(&relation.field, &mut body);
                wanted.push((related, body));
            }
        }
        let requests: Vec<BatchRequest<'_>> = wanted
            .iter()
            .map(|(related, body)| BatchRequest { method: BatchMethod::Update(&related.id), collection: &collection.name, body })
            .collect();
        if let Some(limits) = self.batch {
            match self.session.client.batch(&requests, &limits).await {
                Ok(()) => {
                    self.counts[index].related += wanted.len() as u64;
                    return Ok(());
                }
                // One by one tells which one it is.
                Err(error) if error.is_about_content() || error.may_be_about_one_record() => {}
                Err(error) => return Err(error.into()),
            }
        }
        for (related, body) in wanted {
            self.relate_one(index, collection, relation, related, body).await?;
        }
        Ok(())
    }

    async fn relate_one(
        &mut self,
        index: usize,
        collection: &CollectionMapping,
        relation: &RelationMapping,
        related: &Related,
        body: Vec<u8>,
    ) -> Result<(), ImportError> {
        match self.session.client.update(&collection.name, &related.id, body.into()).await {
            Ok(()) => self.counts[index].related += 1,
            Err(error) if self.costs_the_row(&collection.name, &error).await => {
                let failure = Failure {
                    table: collection.table.clone(),
                    key: related.key.clone(),
                    collection: collection.name.clone(),
                    id: related.id.clone(),
                    field: Some(relation.field.clone()),
                    code: "relation-refused".to_owned(),
                    reason: error.to_string(),
                };
                self.counts[index].failed += 1;
                self.failures.row(&[failure])?;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    async fn relations_there(
        &self,
        collection: &CollectionMapping,
        relation: &RelationMapping,
        slice: &[Related],
    ) -> Result<HashMap<String, String>, ImportError> {
        let ids: Vec<&str> = slice.iter().map(|related| related.id.as_str()).collect();
        let fields = format!("id,{}", relation.field);
        let mut there = HashMap::new();
        let mut rest = &ids[..];
        while !rest.is_empty() {
            let (some, others) = rest.split_at(Client::ids_per_request(rest.iter().copied()));
            for record in self.session.client.list_by_ids(&collection.name, some, Some(&fields)).await? {
                there.insert(record.id(), record.get(&relation.field).unwrap_or("[]").to_owned());
            }
            rest = others;
        }
        Ok(there)
    }

    /// Sets the times of one collection's records, and the passwords and outside identities of its accounts.
    pub(super) async fn finish(&mut self, index: usize) -> Result<(), ImportError> {
        let prepared = self.prepared;
        let collection = &prepared.mapping.collections[index];
        let is_auth = collection.auth.is_some();
        if !is_auth && (!self.session.has_sql || (collection.created.is_none() && collection.updated.is_none())) {
            self.monitor.advance(collection.rows);
            return Ok(());
        }
        let mut resets = if is_auth { Some(ResetList::create(self.options.report)?) } else { None };
        let mut times = Statement::times(&collection.name);
        let mut passwords = Statement::passwords(&collection.name);
        let converter = prepared.converter(index);
        let table = prepared.table(collection)?;
        let mut reader = prepared.bundle.rows(table)?;
        while let Some(batch) = reader.next_batch()? {
            let mut row: Vec<Value<'_>> = Vec::new();
            for at in 0..batch.rows() {
                batch.row(at, &mut row);
                let record = prepared.convert(&converter, &table.name, &row, batch.first_row() + at as u64);
                self.monitor.advance(1);
                if self.failed_ids.contains(&(index, record.id.clone())) {
                    continue;
                }
                if let Some(resets) = &mut resets {
                    self.account(collection, &record, &mut passwords, resets, index).await?;
                }
                if let Some(created) = record.created.as_ref().or(record.updated.as_ref()).filter(|_| self.session.has_sql) {
                    let updated = record.updated.as_ref().unwrap_or(created);
                    self.add(index, &mut times, &[&record.id, created, updated]).await?;
                }
            }
        }
        self.flush(index, &mut times).await?;
        self.flush(index, &mut passwords).await
    }

    async fn account(
        &mut self,
        collection: &CollectionMapping,
        record: &Record<'_>,
        passwords: &mut Statement,
        resets: &mut ResetList,
        index: usize,
    ) -> Result<(), ImportError> {
        self.accounts.accounts += 1;
        let reason = match &record.secret {
            Some(Secret::Bcrypt(hash)) if self.session.has_sql => {
                self.accounts.password_kept += 1;
                self.add(index, passwords, &[&record.id, hash]).await?;
                None
            }
            Some(Secret::Bcrypt(_)) => Some("this server cannot take password hashes (0.39 and newer can)".to_owned()),
            Some(Secret::Unsupported(kind)) => Some(format!("its password is kept as {kind}, which PocketBase cannot check")),
            None => Some("it has no password".to_owned()),
        };
        if let Some(reason) = reason {
            self.accounts.need_reset += 1;
            let email = collection.fields.iter().position(|field| field.name == "email").and_then(|at| record.values.get(at));
            let email = match email {
                Some(FieldValue::Text(email)) => email.as_ref(),
                _ => "",
            };
            resets.line(&[&collection.name, &record.id, email, &reason])?;
        }
        for external in &record.external_auths {
            self.external(collection, record, external).await?;
        }
        Ok(())
    }

    /// Carries over a sign-in with another service, so that it finds the same account.
    async fn external(&mut self, collection: &CollectionMapping, record: &Record<'_>, external: &ExternalAuth) -> Result<(), ImportError> {
        let wanted = ExternalAuthRecord::new(collection, record, external);
        let client = &self.session.client;
        let body = wanted.body().into();
        let made = match client.get(EXTERNAL_AUTHS, &wanted.id).await? {
            Some(found) if wanted.is(&found) => Ok(()),
            Some(_) => client.update(EXTERNAL_AUTHS, &wanted.id, body).await,
            None => client.create_or_confirm(EXTERNAL_AUTHS, &wanted.id, body).await,
        };
        match made {
            Ok(()) => self.accounts.external += 1,
            Err(error) if self.costs_the_row(EXTERNAL_AUTHS, &error).await => {
                let object = format!("{} {}", collection.table, record.key);
                let detail = format!("its sign-in with {} is not carried over: {error}", external.provider);
                self.problems.push(Problem::new("external-auth-refused", object, detail));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    async fn add(&mut self, index: usize, statement: &mut Statement, values: &[&str]) -> Result<(), ImportError> {
        if !statement.fits(values) {
            self.flush(index, statement).await?;
        }
        statement.add(values);
        Ok(())
    }

    async fn flush(&mut self, index: usize, statement: &mut Statement) -> Result<(), ImportError> {
        if let Some(sql) = statement.take() {
            self.counts[index].finished += self.session.client.sql_idempotent(&sql).await?.affected_rows;
        }
        Ok(())
    }
}
