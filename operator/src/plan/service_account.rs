//! The service account of the pods. It has no permissions, and its token is not mounted.

use k8s_openapi::api::core::v1::ServiceAccount;

use super::metadata::metadata;
use crate::{names, validate::ValidIndexer};

pub(super) fn build(valid: &ValidIndexer) -> ServiceAccount {
    ServiceAccount {
        metadata: metadata(valid, names::shared(&valid.name), None),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}
