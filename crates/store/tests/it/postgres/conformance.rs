//! The suite that every store passes, on PostgreSQL.

use agenticai_testkit::conformance::{Fixture, faults};

use super::fixture::PostgresFixture;

async fn open() -> Box<dyn Fixture> {
    Box::new(PostgresFixture::open().await)
}

agenticai_testkit::conformance_tests!(open);

#[tokio::test]
async fn every_planted_fault_is_found() {
    faults::check(open).await;
}
