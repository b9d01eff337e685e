page 50110 "ERPB Dimension Values"
{
    PageType = API;
    APIPublisher = 'erpbridge';
    APIGroup = 'sourceToPay';
    APIVersion = 'v1.0';
    EntityName = 'dimensionValue';
    EntitySetName = 'dimensionValues';
    EntityCaption = 'Dimension Value';
    EntitySetCaption = 'Dimension Values';
    SourceTable = "Dimension Value";
    ODataKeyFields = SystemId;
    DelayedInsert = true;
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
                field(displayName; Rec.Name)
                {
                    Caption = 'Display Name', Locked = true;
                }
                field(dimensionValueType; Rec."Dimension Value Type")
                {
                    Caption = 'Dimension Value Type', Locked = true;
                }
                field(totaling; Rec.Totaling)
                {
                    Caption = 'Totaling', Locked = true;
                }
                field(blocked; Rec.Blocked)
                {
                    Caption = 'Blocked', Locked = true;
                }
                field(indentation; Rec.Indentation)
                {
                    Caption = 'Indentation', Locked = true;
                    Editable = false;
                }
                field(consolidationCode; Rec."Consolidation Code")
                {
                    Caption = 'Consolidation Code', Locked = true;
                }
                field(globalDimensionNo; Rec."Global Dimension No.")
                {
                    Caption = 'Global Dimension No', Locked = true;
                    Editable = false;
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
