//! HTTP: JSON-RPC for clients, the ops port for the operator and the kubelet, and the views behind both.

mod client;
mod connections;
pub mod descriptors;
pub mod listener;
mod lookup;
pub mod ops;
pub mod origins;
mod request_id;
pub mod rpc;
pub mod serving;
pub mod snapshot_request;
mod stall;
pub mod view_list;
