//! Whether every volume has the size that it should have.

use crds::{
    conditions::reasons,
    pod::{FaultClass, Trouble, Volume},
};

use super::{case::Case, verdict::Verdict};
use crate::{
    facts::VolumeClaim,
    names,
    storage::{Capacities, Growth, Obstacle, Refusal, Sizes, TooLarge, growths},
};

/// As a share and in days: time enough for a person to act.
const LOW_SHARE: u128 = 10;
const LOW_DAYS: f64 = 3.0;
const DAY_SECONDS: f64 = 86_400.0;

impl Case<'_> {
    /// What a person must do comes before what passes by itself, and what is not known yet comes last.
    pub(super) fn storage_ready(&self) -> Verdict {
        let claims = self.claims();
        if let Some(refusal) = self.inputs.applied.refusals.first() {
            return refused(refusal);
        }
        if let Some((pod, trouble)) = self.full() {
            let message = format!(
                "{pod}: raise storage.size, or set storage.autoGrow: {}",
                trouble.message
            );
            return Verdict::no(reasons::DISK_FULL, message);
        }
        if let Some(too_large) = self.too_large() {
            return Verdict::no(reasons::SIZE_REFUSED, self.size_refused(&too_large));
        }
        if let Some(growth) = self.at_max_size() {
            let Growth { pod, from, .. } = growth;
            let message = format!(
                "{pod} has too little room, and its volume of {} has the largest size that storage.autoGrow.maxSize allows: \
                 raise that",
                from.text
            );
            return Verdict::no(reasons::AT_MAX_SIZE, message);
        }
        let mut growing = claims.iter().filter(|claim| claim.is_growing());
        if let Some((claim, why)) = growing
            .clone()
            .find_map(|claim| Some((claim, claim.hindrance.as_ref()?)))
        {
            return Verdict::no(reasons::RESIZE_FAILED, format!("{} does not grow: {why}", claim.name));
        }
        if let Some(claim) = claims.iter().find(|claim| claim.awaits_file_system) {
            let message = format!(
                "the volume of {} has grown and its file system has not: the node of its pod does that; if it does not, the \
                 driver needs the pod to start anew: delete the pod",
                claim.name
            );
            return Verdict::no(reasons::FILE_SYSTEM_RESIZE_PENDING, message);
        }
        if let Some(claim) = growing.next() {
            let message = format!("the volume of {} grows to {}", claim.name, claim.requested.text);
            return Verdict::no(reasons::RESIZING, message);
        }
        if let Some(message) = self.low() {
            return Verdict::no(reasons::VOLUME_LOW, message);
        }
        if let Some(claim) = self.missing() {
            return Verdict::unknown(reasons::CLAIMS_PENDING, format!("{claim} has no volume yet"));
        }
        Verdict::yes(reasons::AS_EXPECTED, "every volume has the size that it should have")
    }

    /// The claims that pods have. Of another one the file system cannot grow, since only a pod's node does that.
    fn claims(&self) -> Vec<&VolumeClaim> {
        let observed = self.inputs.observed;
        let kept = |claim: &VolumeClaim| {
            self.inputs
                .decision
                .is_none_or(|decision| decision.keeps(&claim.revision))
        };
        let claims = observed.claims.iter().filter(|claim| !claim.terminating && kept(claim));
        claims.filter(|claim| observed.is_in_use(claim)).collect()
    }

    /// The first pod that waits for room.
    fn full(&self) -> Option<(&str, &Trouble)> {
        let mut pods = self.inputs.observed.pods.iter();
        pods.find_map(|pod| {
            let trouble = pod.sample.answer()?.trouble.as_ref()?;
            (trouble.class == FaultClass::DiskFull).then_some((pod.name.as_str(), trouble))
        })
    }

    /// The first pod whose volume will soon be full, in words.
    fn low(&self) -> Option<String> {
        let mut pods = self.inputs.observed.pods.iter();
        pods.find_map(|pod| {
            let status = pod.sample.answer()?;
            let volume = status
                .volume
                .as_ref()
                .filter(|volume| is_low(volume, status.seconds_left))?;
            let free = u128::from(volume.free_bytes) * 100 / u128::from(volume.capacity_bytes.max(1));
            let left = volume
                .days_left
                .map_or(String::new(), |days| format!(", full in {days:.1} days at its pace"));
            Some(format!(
                "{free} % of the volume of {} is free{left}: raise storage.size, or set storage.autoGrow",
                pod.name
            ))
        })
    }

    fn at_max_size(&self) -> Option<Growth> {
        let (valid, decision) = (self.inputs.outcome.ok()?, self.inputs.decision?);
        let mut short = growths(valid, decision, self.inputs.observed, &Capacities::new()).into_iter();
        short.find(|growth| growth.to.is_none())
    }

    fn too_large(&self) -> Option<TooLarge> {
        let (valid, decision) = (self.inputs.outcome.ok()?, self.inputs.decision?);
        Sizes::of(valid, decision, self.inputs.observed).too_large(valid, decision)
    }

    fn size_refused(&self, too_large: &TooLarge) -> String {
        let declared = self
            .inputs
            .outcome
            .map_or("smaller", |valid| valid.storage.size.0.as_str());
        let TooLarge { revision, size } = too_large;
        format!(
            "storage.size is {declared} and volumes of revision {revision} have {}: no volume becomes smaller, so they stay \
             as they are; set storage.size to {} or more",
            size.text, size.text
        )
    }

    /// The first claim that a pod should have and that has no volume.
    fn missing(&self) -> Option<String> {
        let (valid, decision) = (self.inputs.outcome.ok()?, self.inputs.decision?);
        let sets = decision
            .sets
            .iter()
            .map(|(revision, _)| names::of_revision(&valid.name, revision));
        let mut wanted = sets.flat_map(|set| (0..valid.replicas).map(move |ordinal| names::claim(&set, ordinal)));
        let claims = &self.inputs.observed.claims;
        wanted.find(|name| !claims.iter().any(|claim| claim.name == *name && claim.bound))
    }
}

/// Less than a tenth of it is free, or it is full in three days at its pace, unless the sync whose pace that is ends
/// before.
fn is_low(volume: &Volume, sync_seconds_left: Option<u64>) -> bool {
    let is_little = u128::from(volume.free_bytes) * LOW_SHARE < u128::from(volume.capacity_bytes);
    let is_soon = volume.days_left.is_some_and(|days| {
        let days_of_growth = sync_seconds_left.map_or(LOW_DAYS, |seconds| LOW_DAYS.min(seconds as f64 / DAY_SECONDS));
        days < days_of_growth
    });
    is_little || is_soon
}

fn refused(refusal: &Refusal) -> Verdict {
    let Refusal {
        claim,
        size,
        obstacle,
        words,
    } = refusal;
    match obstacle {
        Obstacle::Class => {
            let cure = "have the administrator set allowVolumeExpansion on it, or ask for less";
            let message = format!("{claim} cannot grow to {size}, because its storage class does not allow it: {cure}");
            Verdict::no(reasons::CLASS_CANNOT_EXPAND, message)
        }
        Obstacle::Quota => {
            let message = format!("{claim} cannot grow to {size}: raise the quota, or ask for less ({words})");
            Verdict::no(reasons::QUOTA_EXCEEDED, message)
        }
        Obstacle::Other => Verdict::no(
            reasons::RESIZE_FAILED,
            format!("{claim} cannot grow to {size}: {words}"),
        ),
    }
}
