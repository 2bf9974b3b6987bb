//! Limits and defaults of the API (semantics A.5), in one place.

/// Numbers that the API documents, and ours where it is silent.
pub struct Limits;

impl Limits {
    /// Files in one batch call.
    pub const BATCH_FILES: usize = 100;
    /// Bytes of `UserData`.
    pub const USER_DATA_BYTES: usize = 2048;
    /// Projects of an account, by default.
    pub const PROJECTS: u64 = 100;
    /// `ProjectMaxDatasetCount`, highest and default.
    pub const DATASETS_OF_PROJECT: i64 = 1_000_000_000;
    /// `DatasetMaxBindCount`, highest and default.
    pub const BINDINGS_OF_DATASET: i64 = 10;
    /// `DatasetMaxFileCount`, highest and default.
    pub const FILES_OF_DATASET: i64 = 100_000_000;
    /// `DatasetMaxTotalFileSize` by default, in bytes.
    pub const TOTAL_FILE_SIZE: i64 = 90_000_000_000_000_000;
    /// `DatasetMaxEntityCount` by default; reserved, not enforced.
    pub const ENTITIES: i64 = 10_000_000_000;
    /// `DatasetMaxRelationCount` by default; reserved, not enforced.
    pub const RELATIONS: i64 = 100_000_000_000;
    /// `EngineConcurrency` by default, and `ProjectQueriesPerSecond` where the
    /// configuration says nothing else.
    pub const QUERIES_PER_SECOND: i64 = 100;
    /// `ProjectQueriesPerSecond`, highest.
    pub const QUERIES_PER_SECOND_MAX: i64 = 100_000;
    /// Page size of lists, highest.
    pub const LIST_MAX: i64 = 200;
    /// Page size of lists when none is asked for.
    pub const LIST_DEFAULT: usize = 100;
    /// Conditions in one query.
    pub const QUERY_CONDITIONS: usize = 100;
    /// Depth of a query.
    pub const QUERY_DEPTH: usize = 5;
    /// Fields to sort by.
    pub const SORT_FIELDS: usize = 5;
    /// Aggregations in one query.
    pub const AGGREGATIONS: usize = 20;
    /// Groups in one reply.
    pub const GROUPS: usize = 2000;
    /// Bytes of the text of FuzzyQuery and SemanticQuery.
    pub const TEXT_QUERY_BYTES: usize = 1024 * 1024;
    /// Labels of one file.
    pub const LABELS: usize = 100;
    /// Bytes of all that a caller sets on one file.
    pub const USER_FIELDS_BYTES: usize = 64 * 1024;
    /// Days that a task can be looked up.
    pub const TASK_DAYS: i64 = 7;
}
