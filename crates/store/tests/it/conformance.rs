//! The suite that every store passes, and the proof that it can fail.

use agenticai_testkit::conformance::{Fixture, faults};

use crate::fixture::SqliteFixture;

async fn open() -> Box<dyn Fixture> {
    Box::new(SqliteFixture::open())
}

agenticai_testkit::conformance_tests!(open);

#[tokio::test]
async fn every_planted_fault_is_found() {
    faults::check(open).await;
}
