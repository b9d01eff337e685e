page 50114 "ERPB Deleted Purchase Records"
{
    PageType = API;
    APIPublisher = 'erpbridge';
    APIGroup = 'sourceToPay';
    APIVersion = 'v1.0';
    EntityName = 'deletedPurchaseRecord';
    EntitySetName = 'deletedPurchaseRecords';
    EntityCaption = 'Deleted Purchase Record';
    EntitySetCaption = 'Deleted Purchase Records';
    SourceTable = "ERPB Deleted Purchase Record";
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
                field(entryNumber; Rec."Entry No.")
                {
                    Caption = 'Entry Number', Locked = true;
                }
                field(rowVersion; Rec.SystemRowVersion)
                {
                    Caption = 'Row Version', Locked = true;
                }
                field(documentId; Rec."Document Id")
                {
                    Caption = 'Document Id', Locked = true;
                }
                field(lineId; Rec."Line Id")
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
                field(deletedAt; Rec."Deleted At")
                {
                    Caption = 'Deleted At', Locked = true;
                }
                field(lastModifiedDateTime; Rec.SystemModifiedAt)
                {
                    Caption = 'Last Modified Date Time', Locked = true;
                }
            }
        }
    }

    trigger OnOpenPage()
    begin
        Rec.ReadIsolation := IsolationLevel::ReadCommitted;
        Rec.SetCurrentKey(SystemRowVersion);
    end;
}
