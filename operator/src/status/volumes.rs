//! Volumes in a status.

use crds::{CLAIM_ROWS_MAX, ClaimRow, IndexerStatus, StorageStatus, pod::Volume};

use crate::facts::{Observed, VolumeClaim, change::volume_differs};

/// What is known of volumes; none while nothing is.
pub(super) fn storage(observed: &Observed) -> Option<StorageStatus> {
    let volumes = observed
        .pods
        .iter()
        .filter_map(|pod| pod.sample.answer()?.volume.as_ref());
    let fullest = volumes.min_by_key(|volume| volume.free_bytes);
    let storage = StorageStatus {
        used_bytes: fullest.map(|volume| volume.capacity_bytes.saturating_sub(volume.free_bytes)),
        free_bytes: fullest.map(|volume| volume.free_bytes),
        growth_per_day_bytes: fullest.and_then(|volume| volume.growth_per_day_bytes),
        days_left: fullest.and_then(|volume| whole_days(volume.days_left?)),
        claims: rows(observed),
    };
    (storage != StorageStatus::default()).then_some(storage)
}

/// `next` with the bytes of `last`, where the two differ by no more than a volume at rest does.
pub(super) fn without_jitter(last: &IndexerStatus, next: &mut IndexerStatus) {
    let (Some(before), Some(after)) = (&last.storage, &mut next.storage) else {
        return;
    };
    if !volume_differs(volume(before).as_ref(), volume(after).as_ref()) {
        let claims = std::mem::take(&mut after.claims);
        *after = StorageStatus {
            claims,
            ..before.clone()
        };
    }
}

/// None of what is no number of days.
fn whole_days(days: f64) -> Option<u32> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // A cast stays at the largest number.
    (days >= 0.0).then_some(days as u32)
}

fn volume(storage: &StorageStatus) -> Option<Volume> {
    let free_bytes = storage.free_bytes?;
    Some(Volume {
        capacity_bytes: storage.used_bytes?.saturating_add(free_bytes),
        free_bytes,
        ..Volume::default()
    })
}

/// Those in use first, each part by name, so that what does not fit is not in use.
fn rows(observed: &Observed) -> Vec<ClaimRow> {
    let row = |claim: &VolumeClaim| ClaimRow {
        name: claim.name.clone(),
        revision: claim.revision.clone(),
        requested: claim.requested.text.clone(),
        capacity: claim.capacity.as_ref().map(|size| size.text.clone()),
        in_use: observed.is_in_use(claim),
    };
    let mut rows: Vec<ClaimRow> = observed.claims.iter().map(row).collect();
    rows.sort_by(|a, b| (!a.in_use, &a.name).cmp(&(!b.in_use, &b.name)));
    rows.truncate(CLAIM_ROWS_MAX);
    rows
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures::{answering_pod, bound_claim, claim};

    fn observed(claims: impl IntoIterator<Item = k8s_openapi::api::core::v1::PersistentVolumeClaim>) -> Observed {
        Observed {
            pods: vec![answering_pod("one-b-0")],
            claims: claims
                .into_iter()
                .filter_map(|claim| VolumeClaim::read(&claim))
                .collect(),
            ..Observed::default()
        }
    }

    #[test]
    fn every_claim_is_shown_those_in_use_first() {
        let pending = claim("data-one-c-0", "2Gi", &json!({"phase": "Pending"}));
        let found = storage(&observed([
            bound_claim("data-one-a-0", "1Gi"),
            bound_claim("data-one-b-0", "3Gi"),
            pending,
        ]));
        let rows = found.unwrap().claims;
        let shown: Vec<_> = rows
            .iter()
            .map(|row| (row.name.as_str(), row.capacity.as_deref(), row.in_use))
            .collect();
        let expected = [
            ("data-one-b-0", Some("3Gi"), true),
            ("data-one-a-0", Some("1Gi"), false),
            ("data-one-c-0", None, false),
        ];
        assert_eq!(shown, expected);
        assert_eq!(storage(&Observed::default()), None);
    }

    #[test]
    fn growth_is_shown_as_the_fullest_pod_has_it_and_rests_with_its_bytes() {
        let growing = |free_bytes, growth, days| {
            let mut observed = observed([]);
            let mut status = crate::fixtures::following(100);
            status.volume = Some(Volume {
                capacity_bytes: 100 << 30,
                free_bytes,
                growth_per_day_bytes: Some(growth),
                days_left: Some(days),
            });
            observed.pods[0].sample = crate::facts::Sample::Answer(Box::new(status));
            storage(&observed).unwrap()
        };
        let shown = |storage: &StorageStatus| (storage.free_bytes, storage.growth_per_day_bytes, storage.days_left);
        let first = growing(50 << 30, 7, 3.9);
        assert_eq!(shown(&first), (Some(50 << 30), Some(7), Some(3)));
        assert_eq!(growing(1, 7, f64::NAN).days_left, None);
        assert_eq!(growing(1, 7, f64::INFINITY).days_left, Some(u32::MAX));
        let of = |storage: StorageStatus| IndexerStatus {
            storage: Some(storage),
            ..IndexerStatus::default()
        };
        let mut next = of(growing((50 << 30) - 1, 8, 3.8));
        without_jitter(&of(first.clone()), &mut next);
        assert_eq!(next.storage.as_ref(), Some(&first));
        let mut next = of(growing(30 << 30, 8, 2.8));
        without_jitter(&of(first), &mut next);
        assert_eq!(shown(&next.storage.unwrap()), (Some(30 << 30), Some(8), Some(2)));
    }

    #[test]
    fn what_does_not_fit_is_not_in_use() {
        let unused = (0..CLAIM_ROWS_MAX).map(|i| bound_claim(&format!("data-one-a-{i}"), "1Gi"));
        let rows = storage(&observed(unused.chain([bound_claim("data-one-b-0", "1Gi")])))
            .unwrap()
            .claims;
        assert_eq!((rows.len(), rows[0].name.as_str()), (CLAIM_ROWS_MAX, "data-one-b-0"));
    }
}
