//! HTTP: JSON-RPC for clients, the ops port for the operator and the kubelet, and the views behind both.

pub mod ops;
pub mod rpc;
pub mod serving;
