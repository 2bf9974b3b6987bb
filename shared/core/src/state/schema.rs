//! The tables, for where no template makes them: the local cloud and tests.
//! `template.yaml` declares the same keys, and a stream for search engines that
//! nothing local reads.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, TimeToLiveSpecification,
};

use super::db::{Db, store_error};
use crate::error::{Error, Result};

fn attribute(name: &str) -> Result<AttributeDefinition> {
    AttributeDefinition::builder()
        .attribute_name(name)
        .attribute_type(ScalarAttributeType::S)
        .build()
        .map_err(Error::internal)
}

fn element(name: &str, kind: KeyType) -> Result<KeySchemaElement> {
    KeySchemaElement::builder().attribute_name(name).key_type(kind).build().map_err(Error::internal)
}

/// Makes the two tables where they are not there yet.
pub async fn create_tables(db: &Db) -> Result<()> {
    let index = GlobalSecondaryIndex::builder()
        .index_name("GSI1")
        .key_schema(element("GSI1PK", KeyType::Hash)?)
        .key_schema(element("GSI1SK", KeyType::Range)?)
        .projection(Projection::builder().projection_type(ProjectionType::All).build())
        .build()
        .map_err(Error::internal)?;
    let state = db
        .client
        .create_table()
        .table_name(db.state_table())
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute("PK")?)
        .attribute_definitions(attribute("SK")?)
        .attribute_definitions(attribute("GSI1PK")?)
        .attribute_definitions(attribute("GSI1SK")?)
        .key_schema(element("PK", KeyType::Hash)?)
        .key_schema(element("SK", KeyType::Range)?)
        .global_secondary_indexes(index);
    let files = db
        .client
        .create_table()
        .table_name(db.files_table())
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute("PK")?)
        .attribute_definitions(attribute("SK")?)
        .key_schema(element("PK", KeyType::Hash)?)
        .key_schema(element("SK", KeyType::Range)?);
    for (table, request) in [(db.state_table(), state), (db.files_table(), files)] {
        match request.send().await {
            Ok(_) => {}
            Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_in_use_exception()) => {
                continue;
            }
            Err(error) => return Err(store_error(error)),
        }
        let ttl = TimeToLiveSpecification::builder()
            .enabled(true)
            .attribute_name("ttl")
            .build()
            .map_err(Error::internal)?;
        db.client
            .update_time_to_live()
            .table_name(table)
            .time_to_live_specification(ttl)
            .send()
            .await
            .map_err(store_error)?;
    }
    Ok(())
}
