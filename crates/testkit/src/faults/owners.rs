//! Who held which task under which epoch: a trigger writes it down, for the tables say only who holds it now.

use std::collections::BTreeMap;

use agenticai_domain::ids::TaskId;
use uuid::Uuid;

use crate::checker::Incarnation;
use crate::cluster::Cluster;

/// Run after the migrations.
pub const NOTE_OWNERS: &str = "
    CREATE TABLE noted_owners (task uuid, epoch int, worker bigint, PRIMARY KEY (task, epoch));
    CREATE FUNCTION note_owner() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO noted_owners VALUES (NEW.id, NEW.epoch, NEW.worker) ON CONFLICT DO NOTHING;
        RETURN NULL;
    END
    $$;
    CREATE TRIGGER note_owner AFTER INSERT ON held FOR EACH ROW EXECUTE FUNCTION note_owner();";

/// The process that a worker is: its name ends with the process id.
pub fn process_of(name: &str) -> Option<u32> {
    name.rsplit('-').next()?.parse().ok()
}

/// Reads it. `struck` are the process ids of workers that were killed, frozen or cut off.
pub async fn read(cluster: &Cluster, struck: &[u32]) -> anyhow::Result<BTreeMap<(TaskId, u32), Incarnation>> {
    let sql = "SELECT o.task, o.epoch, CASE WHEN w.state > 0 THEN w.beat_at END, w.name
               FROM noted_owners o JOIN workers w ON w.id = o.worker";
    let mut owners = BTreeMap::new();
    for row in cluster.connect().await?.query(sql, &[]).await? {
        let (task, epoch): (Uuid, i32) = (row.try_get(0)?, row.try_get(1)?);
        let last_beat_us = row.try_get::<_, Option<i64>>(2)?.map(|ms| ms.unsigned_abs() * 1000);
        let name: String = row.try_get(3)?;
        let struck = process_of(&name).is_some_and(|pid| struck.contains(&pid));
        owners.insert((TaskId(task), u32::try_from(epoch)?), Incarnation { last_beat_us, struck });
    }
    Ok(owners)
}
