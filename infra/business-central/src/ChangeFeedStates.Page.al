page 50115 "ERPB Change Feed States"
{
    PageType = API;
    APIPublisher = 'erpbridge';
    APIGroup = 'sourceToPay';
    APIVersion = 'v1.0';
    EntityName = 'changeFeedState';
    EntitySetName = 'changeFeedStates';
    EntityCaption = 'Change Feed State';
    EntitySetCaption = 'Change Feed States';
    SourceTable = "ERPB Change Feed State";
    SourceTableTemporary = true;
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
                field(minimumActiveRowVersion; Rec."Minimum Active Row Version")
                {
                    Caption = 'Minimum Active Row Version', Locked = true;
                }
                field(lastUsedRowVersion; Rec."Last Used Row Version")
                {
                    Caption = 'Last Used Row Version', Locked = true;
                }
            }
        }
    }

    // One row under a fixed id, made anew for every request.
    trigger OnOpenPage()
    begin
        Rec.Init();
        Rec."Entry No." := 1;
        Rec."Minimum Active Row Version" := Database.MinimumActiveRowVersion();
        Rec."Last Used Row Version" := Database.LastUsedRowVersion();
        Rec.SystemId := '{00000000-0000-0000-0000-000000000001}';
        Rec.Insert(false, true);
    end;
}
