codeunit 50121 "ERPB Install"
{
    Access = Internal;
    Subtype = Install;

    // Lets an administrator set up a retention policy for the log of deletions, which would grow for ever.
    trigger OnInstallAppPerCompany()
    var
        DeletedPurchaseRecord: Record "ERPB Deleted Purchase Record";
        RetenPolAllowedTables: Codeunit "Reten. Pol. Allowed Tables";
    begin
        RetenPolAllowedTables.AddAllowedTable(Database::"ERPB Deleted Purchase Record", DeletedPurchaseRecord.FieldNo(SystemCreatedAt));
    end;
}
