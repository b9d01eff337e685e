permissionset 50131 "ERPB Write"
{
    Assignable = true;
    Caption = 'Source-to-Pay: read, write cost centres';
    IncludedPermissionSets = "ERPB Read";

    // The table Dimension Value looks into the cost accounting setup whenever a value is written.
    Permissions =
        tabledata "Cost Accounting Setup" = R,
        tabledata "Dimension Value" = IM,
        tabledata "ERPB Cost Centre Mapping" = IMD;
}
