table 50101 "ERPB Deleted Purchase Record"
{
    Caption = 'Deleted Purchase Record';
    DataClassification = CustomerContent;

    fields
    {
        field(1; "Entry No."; BigInteger)
        {
            AutoIncrement = true;
            Caption = 'Entry No.';
        }
        field(2; "Document Id"; Guid)
        {
            Caption = 'Document Id';
        }
        field(3; "Line Id"; Guid)
        {
            Caption = 'Line Id';
        }
        field(4; "Document Type"; Enum "Purchase Document Type")
        {
            Caption = 'Document Type';
        }
        field(5; "Document No."; Code[20])
        {
            Caption = 'Document No.';
        }
        field(6; "Line No."; Integer)
        {
            Caption = 'Line No.';
        }
        field(7; "Deleted At"; DateTime)
        {
            Caption = 'Deleted At';
        }
    }

    keys
    {
        key(PK; "Entry No.")
        {
            Clustered = true;
        }
    }
}
