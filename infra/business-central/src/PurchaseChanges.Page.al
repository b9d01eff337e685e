page 50112 "ERPB Purchase Changes"
{
    PageType = API;
    APIPublisher = 'erpbridge';
    APIGroup = 'sourceToPay';
    APIVersion = 'v1.0';
    EntityName = 'purchaseChange';
    EntitySetName = 'purchaseChanges';
    EntityCaption = 'Purchase Change';
    EntitySetCaption = 'Purchase Changes';
    SourceTable = "Purchase Header";
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
                field(documentNumber; Rec."No.")
                {
                    Caption = 'Document Number', Locked = true;
                }
                field(lineNumber; LineNo)
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
    begin
        DocumentId := Rec.SystemId;
    end;

    var
        DocumentId: Guid;
        // Blank: the row is about the document itself.
        LineId: Guid;
        LineNo: Integer;
}
