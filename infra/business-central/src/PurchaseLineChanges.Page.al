page 50113 "ERPB Purchase Line Changes"
{
    PageType = API;
    APIPublisher = 'erpbridge';
    APIGroup = 'sourceToPay';
    APIVersion = 'v1.0';
    EntityName = 'purchaseLineChange';
    EntitySetName = 'purchaseLineChanges';
    EntityCaption = 'Purchase Line Change';
    EntitySetCaption = 'Purchase Line Changes';
    SourceTable = "Purchase Line";
    ODataKeyFields = SystemId;
    DelayedInsert = true;
    Editable = false;
    InsertAllowed = false;
    ModifyAllowed = false;
    DeleteAllowed = false;
    Extensible = false;

    layout
    {
        area(Content)
        {
            repeater(Rows)
            {
                field(id; Rec.SystemId)
                {
                    Caption = 'Id', Locked = true;
                }
                field(rowVersion; Rec.SystemRowVersion)
                {
                    Caption = 'Row Version', Locked = true;
                }
                field(documentId; DocumentId)
                {
                    Caption = 'Document Id', Locked = true;
                }
                field(lineId; LineId)
                {
                    Caption = 'Line Id', Locked = true;
                }
                field(documentType; Rec."Document Type")
                {
                    Caption = 'Document Type', Locked = true;
                }
                field(documentNumber; Rec."Document No.")
                {
                    Caption = 'Document Number', Locked = true;
                }
                field(lineNumber; Rec."Line No.")
                {
                    Caption = 'Line Number', Locked = true;
                }
                field(lastModifiedDateTime; Rec.SystemModifiedAt)
                {
                    Caption = 'Last Modified Date Time', Locked = true;
                }
            }
        }
    }

    // Committed rows only: a row that somebody is changing would show a version above the window of the reader, and fall
    // back below it when that change is rolled back.
    trigger OnOpenPage()
    begin
        Rec.ReadIsolation := IsolationLevel::ReadCommitted;
        Rec.SetCurrentKey(SystemRowVersion);
    end;

    trigger OnAfterGetRecord()
    var
        PurchaseHeader: Record "Purchase Header";
    begin
        Clear(DocumentId);
        if PurchaseHeader.Get(Rec."Document Type", Rec."Document No.") then
            DocumentId := PurchaseHeader.SystemId;
        LineId := Rec.SystemId;
    end;

    var
        DocumentId: Guid;
        LineId: Guid;
}
