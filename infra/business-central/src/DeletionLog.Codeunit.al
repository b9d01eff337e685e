codeunit 50120 "ERPB Deletion Log"
{
    Access = Internal;
    InherentEntitlements = X;
    InherentPermissions = X;

    // The last two arguments of the subscribers: who may not run this is not kept from deleting.
    [EventSubscriber(ObjectType::Table, Database::"Purchase Header", 'OnAfterDeleteEvent', '', true, true)]
    local procedure RememberHeaderOnAfterDelete(var Rec: Record "Purchase Header"; RunTrigger: Boolean)
    var
        DeletedPurchaseRecord: Record "ERPB Deleted Purchase Record";
    begin
        if Rec.IsTemporary() then
            exit;
        DeletedPurchaseRecord."Document Id" := Rec.SystemId;
        DeletedPurchaseRecord."Document Type" := Rec."Document Type";
        DeletedPurchaseRecord."Document No." := Rec."No.";
        Remember(DeletedPurchaseRecord);
    end;

    [EventSubscriber(ObjectType::Table, Database::"Purchase Line", 'OnAfterDeleteEvent', '', true, true)]
    local procedure RememberLineOnAfterDelete(var Rec: Record "Purchase Line"; RunTrigger: Boolean)
    var
        DeletedPurchaseRecord: Record "ERPB Deleted Purchase Record";
    begin
        if Rec.IsTemporary() then
            exit;
        DeletedPurchaseRecord."Document Id" := DocumentIdOf(Rec);
        DeletedPurchaseRecord."Line Id" := Rec.SystemId;
        DeletedPurchaseRecord."Document Type" := Rec."Document Type";
        DeletedPurchaseRecord."Document No." := Rec."Document No.";
        DeletedPurchaseRecord."Line No." := Rec."Line No.";
        Remember(DeletedPurchaseRecord);
    end;

    // Posting deletes the header before its lines: then the id is blank, and the header has an entry of its own.
    local procedure DocumentIdOf(PurchaseLine: Record "Purchase Line") DocumentId: Guid
    var
        PurchaseHeader: Record "Purchase Header";
    begin
        if not PurchaseHeader.ReadPermission() then
            exit;
        if PurchaseHeader.Get(PurchaseLine."Document Type", PurchaseLine."Document No.") then
            DocumentId := PurchaseHeader.SystemId;
    end;

    // Whoever deletes a document writes here, with no permission to the table of his own.
    [InherentPermissions(PermissionObjectType::TableData, Database::"ERPB Deleted Purchase Record", 'I')]
    local procedure Remember(var DeletedPurchaseRecord: Record "ERPB Deleted Purchase Record")
    begin
        DeletedPurchaseRecord."Entry No." := 0;
        DeletedPurchaseRecord."Deleted At" := CurrentDateTime();
        DeletedPurchaseRecord.Insert();
    end;
}
