page 50111 "ERPB Cost Centre Mappings"
{
    PageType = API;
    APIPublisher = 'erpbridge';
    APIGroup = 'sourceToPay';
    APIVersion = 'v1.0';
    EntityName = 'costCentreMapping';
    EntitySetName = 'costCentreMappings';
    EntityCaption = 'Cost Centre Mapping';
    EntitySetCaption = 'Cost Centre Mappings';
    SourceTable = "ERPB Cost Centre Mapping";
    ODataKeyFields = SystemId;
    DelayedInsert = true;
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
                    Editable = false;
                }
                field(dimensionCode; Rec."Dimension Code")
                {
                    Caption = 'Dimension Code', Locked = true;
                }
                field("code"; Rec.Code)
                {
                    Caption = 'Code', Locked = true;
                }
                field(costCentreSysId; Rec."Cost Centre Sys Id")
                {
                    Caption = 'Cost Centre Sys Id', Locked = true;
                }
                field(accountNumber; Rec."Account Number")
                {
                    Caption = 'Account Number', Locked = true;
                }
                field(status; Rec.Status)
                {
                    Caption = 'Status', Locked = true;
                }
                field(checkedAt; Rec."Checked At")
                {
                    Caption = 'Checked At', Locked = true;
                }
                field(run; Rec.Run)
                {
                    Caption = 'Run', Locked = true;
                }
                field(lastModifiedDateTime; Rec.SystemModifiedAt)
                {
                    Caption = 'Last Modified Date Time', Locked = true;
                    Editable = false;
                }
            }
        }
    }
}
