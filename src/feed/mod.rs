//! (being written)
#[derive(Debug, Default)] pub struct Eyes; 
#[derive(Debug)] pub struct FileReport;
#[derive(Debug, thiserror::Error)] #[error("x")] pub struct FeedError;
pub async fn poll(_f: &crate::config::Feed, _r: &crate::config::TenantRules, _s: &crate::store::Store, _e: &mut Eyes, _n: chrono::DateTime<chrono::Utc>) -> Result<Vec<FileReport>, FeedError> { Ok(vec![]) }
