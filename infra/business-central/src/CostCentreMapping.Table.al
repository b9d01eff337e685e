table 50100 "ERPB Cost Centre Mapping"
{
    Caption = 'Cost Centre Mapping';
    DataClassification = CustomerContent;

    fields
    {
        field(1; "Dimension Code"; Code[20])
        {
            Caption = 'Dimension Code';
            NotBlank = true;
            TableRelation = Dimension;
        }
        // Text, not Code: a sys_id is lower case, and Code would change it.
        field(2; "Cost Centre Sys Id"; Text[32])
        {
            Caption = 'Cost Centre Sys Id';
            NotBlank = true;
        }
        // The relation makes a rename of the dimension value rename it here too.
        field(3; "Code"; Code[20])
        {
            Caption = 'Code';
            TableRelation = "Dimension Value".Code where("Dimension Code" = field("Dimension Code"));
        }
        field(4; "Account Number"; Text[40])
        {
            Caption = 'Account Number';
        }
        field(5; Status; Text[20])
        {
            Caption = 'Status';
        }
        field(6; "Checked At"; DateTime)
        {
            Caption = 'Checked At';
        }
        field(7; Run; Text[50])
        {
            Caption = 'Run';
        }
    }

    keys
    {
        key(PK; "Dimension Code", "Cost Centre Sys Id")
        {
            Clustered = true;
        }
        key(ByCode; "Dimension Code", "Code")
        {
        }
    }
}
