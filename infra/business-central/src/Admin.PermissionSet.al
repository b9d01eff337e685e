permissionset 50132 "ERPB Admin"
{
    Assignable = true;
    Caption = 'Source-to-Pay: administer';
    IncludedPermissionSets = "ERPB Write";

    // Who applies a retention policy deletes from the log.
    Permissions =
        tabledata "ERPB Deleted Purchase Record" = D,
        codeunit "ERPB Deletion Log" = X,
        codeunit "ERPB Install" = X;
}
