// Generated from spec/administration.yaml by `cargo xtask generate`. Do not edit.

/// A call, as the document describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `GET /accounts`
    ListAccounts,
    /// `POST /accounts`
    CreateAccount,
    /// `POST /accounts/{account_id}/grants`
    GrantCredits,
    /// `POST /accounts/{account_id}/withdrawals`
    WithdrawCredits,
    /// `GET /accounts/{account_id}/webhook-secrets`
    ListWebhookSecrets,
    /// `POST /accounts/{account_id}/webhook-secrets`
    RotateWebhookSecret,
    /// `PATCH /accounts/{account_id}/webhook-secrets`
    ReplanRotation,
    /// `GET /keys`
    ListKeys,
    /// `POST /keys`
    CreateKey,
    /// `DELETE /keys/{key_id}`
    RevokeKey,
    /// `GET /requests`
    ListRequests,
    /// `GET /requests/{request_id}`
    GetRequest,
    /// `GET /requests/{request_id}/logs`
    ListLogLines,
    /// `POST /requests/{request_id}/cancel`
    CancelRequest,
    /// `GET /queues`
    ListQueues,
    /// `POST /queues/{queue}/pause`
    PauseQueue,
    /// `POST /queues/{queue}/resume`
    ResumeQueue,
    /// `GET /workers`
    ListWorkers,
    /// `POST /workers`
    CreateWorker,
    /// `DELETE /workers/{worker}`
    RevokeWorker,
    /// `POST /workers/{worker}/quiet`
    QuietWorker,
    /// `POST /workers/{worker}/resume`
    ResumeWorker,
    /// `GET /deliveries`
    ListDeliveries,
    /// `GET /deliveries/{delivery_id}`
    GetDelivery,
    /// `POST /deliveries/{delivery_id}/replay`
    ReplayDelivery,
    /// `POST /deliveries/replay`
    ReplayFailedDeliveries,
    /// `POST /deliveries/resume`
    ResumeDeliveries,
    /// `POST /deliveries/abandon`
    AbandonDeliveries,
    /// `POST /tickets`
    CreateTicket,
    /// `GET /audit`
    ListAudit,
    /// `PUT /log-level`
    SetLogLevel,
    /// `GET /examination`
    Examine,
    /// `POST /backups`
    BackUp,
}

impl Operation {
    /// Every call, in the order of the document.
    pub const ALL: [Self; 33] = [
        Self::ListAccounts,
        Self::CreateAccount,
        Self::GrantCredits,
        Self::WithdrawCredits,
        Self::ListWebhookSecrets,
        Self::RotateWebhookSecret,
        Self::ReplanRotation,
        Self::ListKeys,
        Self::CreateKey,
        Self::RevokeKey,
        Self::ListRequests,
        Self::GetRequest,
        Self::ListLogLines,
        Self::CancelRequest,
        Self::ListQueues,
        Self::PauseQueue,
        Self::ResumeQueue,
        Self::ListWorkers,
        Self::CreateWorker,
        Self::RevokeWorker,
        Self::QuietWorker,
        Self::ResumeWorker,
        Self::ListDeliveries,
        Self::GetDelivery,
        Self::ReplayDelivery,
        Self::ReplayFailedDeliveries,
        Self::ResumeDeliveries,
        Self::AbandonDeliveries,
        Self::CreateTicket,
        Self::ListAudit,
        Self::SetLogLevel,
        Self::Examine,
        Self::BackUp,
    ];

    /// Its path; a variable segment is a name in braces.
    pub const fn path(self) -> &'static str {
        match self {
            Self::ListAccounts => "/accounts",
            Self::CreateAccount => "/accounts",
            Self::GrantCredits => "/accounts/{account_id}/grants",
            Self::WithdrawCredits => "/accounts/{account_id}/withdrawals",
            Self::ListWebhookSecrets => "/accounts/{account_id}/webhook-secrets",
            Self::RotateWebhookSecret => "/accounts/{account_id}/webhook-secrets",
            Self::ReplanRotation => "/accounts/{account_id}/webhook-secrets",
            Self::ListKeys => "/keys",
            Self::CreateKey => "/keys",
            Self::RevokeKey => "/keys/{key_id}",
            Self::ListRequests => "/requests",
            Self::GetRequest => "/requests/{request_id}",
            Self::ListLogLines => "/requests/{request_id}/logs",
            Self::CancelRequest => "/requests/{request_id}/cancel",
            Self::ListQueues => "/queues",
            Self::PauseQueue => "/queues/{queue}/pause",
            Self::ResumeQueue => "/queues/{queue}/resume",
            Self::ListWorkers => "/workers",
            Self::CreateWorker => "/workers",
            Self::RevokeWorker => "/workers/{worker}",
            Self::QuietWorker => "/workers/{worker}/quiet",
            Self::ResumeWorker => "/workers/{worker}/resume",
            Self::ListDeliveries => "/deliveries",
            Self::GetDelivery => "/deliveries/{delivery_id}",
            Self::ReplayDelivery => "/deliveries/{delivery_id}/replay",
            Self::ReplayFailedDeliveries => "/deliveries/replay",
            Self::ResumeDeliveries => "/deliveries/resume",
            Self::AbandonDeliveries => "/deliveries/abandon",
            Self::CreateTicket => "/tickets",
            Self::ListAudit => "/audit",
            Self::SetLogLevel => "/log-level",
            Self::Examine => "/examination",
            Self::BackUp => "/backups",
        }
    }
}
